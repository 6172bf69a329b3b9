//! The table as text and as JSON.

use crate::{
    figures::{Figure, Figures, Side},
    operations::{OPERATIONS, Operation, Unit},
};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// What was measured, in both ways.
pub(crate) struct Results {
    /// With instructions counted.
    pub(crate) instructions: Figures,
    /// With the host's clock: what a busy host makes of it.
    pub(crate) nanoseconds: Figures,
    /// The version of Linux, if there was one.
    pub(crate) linux: Option<String>,
}

impl Results {
    /// How many rows are above their goals, and how many have no figure.
    pub(crate) fn missed(&self) -> (usize, usize) {
        let values = OPERATIONS.iter().map(|operation| {
            let figure = self.instructions.lowest(operation.name, Side::Strake);
            (operation, figure.map(|figure| figure.value))
        });
        let over = |(operation, value): &(&Operation, Option<u64>)| {
            value.is_some_and(|value| value > operation.goal)
        };
        let all: Vec<_> = values.collect();
        (
            all.iter().filter(|row| over(row)).count(),
            all.iter().filter(|(_, value)| value.is_none()).count(),
        )
    }

    /// Both tables, with what has to be known to read them.
    pub(crate) fn text(&self) -> String {
        let mut text = String::from(
            "Instructions that the guest executes for one operation (QEMU's TCG, -icount shift=0,sleep=off, one\n\
             processor, default model). Bytes for memory, a thousandth for the last row. No privilege is\n\
             crossed in Strake, by design; `inside` is Linux where it crosses none either.\n\n",
        );
        self.table(&mut text, &self.instructions, true);
        text.push_str(
            "\nNanoseconds under plain TCG, on this host, with whatever else it does: to be compared\n\
             within a row only.\n\n",
        );
        self.table(&mut text, &self.nanoseconds, false);
        if let Some(version) = &self.linux {
            let _ = writeln!(text, "\nLinux {version}, without mitigations.");
        }
        text
    }

    fn table(&self, text: &mut String, figures: &Figures, goals: bool) {
        let goal = if goals { "goal" } else { "" };
        line(
            text,
            [
                "operation",
                goal,
                "Strake",
                "inside",
                "user",
                "by what factor",
                "",
            ],
        );
        for operation in OPERATIONS {
            let name = operation.name;
            let ours = figures.lowest(name, Side::Strake);
            let inside = figures.lowest(name, Side::LinuxInside);
            let user = figures.lowest(name, Side::LinuxUser);
            if !goals && ours.is_none() && inside.is_none() && user.is_none() {
                continue;
            }
            let over = ours.is_some_and(|ours| goals && ours.value > operation.goal);
            let goal = if goals {
                grouped(operation.goal)
            } else {
                String::new()
            };
            line(
                text,
                [
                    operation.title,
                    &goal,
                    &shown(ours, false),
                    &shown(inside, true),
                    &shown(user, true),
                    &format!("{:>6} {:>6}", factor(inside, ours), factor(user, ours)),
                    if over { "above its goal" } else { "" },
                ],
            );
        }
    }

    /// The same as one document.
    pub(crate) fn json(&self) -> Value {
        let rows: Vec<_> = OPERATIONS
            .iter()
            .map(|operation| self.row(operation))
            .collect();
        json!({ "linux": self.linux, "rows": rows })
    }

    fn row(&self, operation: &Operation) -> Value {
        let name = operation.name;
        let all = |figures: &Figures, side| -> Vec<Value> {
            let figures = figures.of(name, side);
            figures
                .map(|figure| json!({ "how": figure.how, "value": figure.value }))
                .collect()
        };
        let sides = |figures: &Figures| {
            json!({
                "strake": figures.lowest(name, Side::Strake).map(|figure| figure.value),
                "linux_inside": all(figures, Side::LinuxInside),
                "linux_user": all(figures, Side::LinuxUser),
            })
        };
        let unit = match operation.unit {
            Unit::Cost => "instructions",
            Unit::Bytes => "bytes",
            Unit::Thousandths => "thousandths",
        };
        let ours = self.instructions.lowest(name, Side::Strake);
        json!({
            "name": name,
            "title": operation.title,
            "unit": unit,
            "goal": operation.goal,
            "meets_goal": ours.map(|ours| ours.value <= operation.goal),
            "instructions": sides(&self.instructions),
            "nanoseconds": sides(&self.nanoseconds),
        })
    }
}

fn line(text: &mut String, cells: [&str; 7]) {
    let [name, goal, ours, inside, user, factor, note] = cells;
    let line =
        format!("{name:<42} {goal:>11} {ours:>11} {inside:>24} {user:>24} {factor:>14}  {note}");
    text.push_str(line.trim_end());
    text.push('\n');
}

fn shown(figure: Option<&Figure>, with_means: bool) -> String {
    match figure {
        Some(figure) if with_means => format!("{} {}", figure.how, grouped(figure.value)),
        Some(figure) => grouped(figure.value),
        None => "-".into(),
    }
}

/// How many times the other is ours.
fn factor(other: Option<&Figure>, ours: Option<&Figure>) -> String {
    let (Some(other), Some(ours)) = (other, ours) else {
        return String::new();
    };
    let tenths = u128::from(other.value) * 10 / u128::from(ours.value.max(1));
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// A number with its thousands apart.
pub(crate) fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_apart() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(123_456_789), "123,456,789");
    }

    #[test]
    fn what_is_above_its_goal_is_said() {
        let mut instructions = Figures::default();
        instructions.add(
            "yield",
            Figure {
                side: Side::Strake,
                how: String::new(),
                value: 121,
            },
        );
        instructions.join(Figures::read_linux("row yield user FIFO 1672"));
        let results = Results {
            instructions,
            nanoseconds: Figures::default(),
            linux: None,
        };
        assert_eq!(results.missed(), (1, OPERATIONS.len() - 1));
        let text = results.text();
        let row = text.lines().find(|line| line.starts_with("yield")).unwrap();
        assert!(
            row.contains("13.8") && row.ends_with("above its goal"),
            "{row}"
        );
        assert_eq!(results.json()["rows"][1]["meets_goal"], json!(false));
    }
}
