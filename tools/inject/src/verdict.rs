//! What came of a fault.

use crate::{
    case::Case,
    error::InjectError,
    guest::{Guest, Heard},
    symbols::Symbols,
};
use serde_json::{Value, json};

/// Guest time in which the workload must have come out right.
const RECOVERY_NS: u64 = 1_000_000_000;

/// Lines that the workload `console` prints.
const CONSOLE_LINES: u64 = 6;

/// What came of a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The workload ended before its moment came.
    NotReached,
    /// Nobody noticed it.
    NoEffect,
    /// It was seen, and the system is well again.
    Recovered {
        /// Guest time that the workload took, all attempts together.
        ns: u64,
    },
    /// It was seen, and the workload did not come out right, or something stayed wrong.
    Lost {
        /// What, without numbers, so that equal causes are equal.
        cause: String,
        /// The end of what the console said.
        evidence: String,
        /// Whether all workloads succeeded afterwards, so that nothing has to be booted again.
        well: bool,
    },
}

impl Verdict {
    /// Whether the fault was seen.
    pub(crate) const fn manifested(&self) -> bool {
        matches!(self, Self::Recovered { .. } | Self::Lost { .. })
    }

    /// Whether the system can go on with the next case.
    pub(crate) const fn leaves_well(&self) -> bool {
        !matches!(self, Self::Lost { well: false, .. })
    }

    /// As JSON.
    pub(crate) fn describe(&self) -> Value {
        match self {
            Self::NotReached => json!({"verdict": "not reached"}),
            Self::NoEffect => json!({"verdict": "no effect"}),
            Self::Recovered { ns } => json!({"verdict": "recovered", "ns": ns}),
            Self::Lost {
                cause,
                evidence,
                well,
            } => {
                json!({"verdict": "lost", "cause": cause, "well": well, "evidence": evidence})
            }
        }
    }
}

/// What the system has counted of faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Books {
    faults: u64,
    resumed: u64,
    /// How often components were replaced, or loaded anew.
    pub(crate) swaps: u64,
}

impl Books {
    fn of(document: &Value) -> Self {
        let count = |field: &str| document[field].as_u64().unwrap_or_default();
        Self {
            faults: count("faults"),
            resumed: count("resumed"),
            swaps: count("swaps"),
        }
    }
}

/// What is wrong with a system that should be well.
pub(crate) struct Wrong {
    /// In a line.
    pub(crate) cause: String,
    /// What the console said.
    text: String,
}

/// Runs all workloads in a system that should be well: what it has counted so far, or what is wrong.
pub(crate) fn look(guest: &mut Guest, workloads: usize) -> Result<Books, Wrong> {
    let silent = |cause| Wrong {
        cause,
        text: String::new(),
    };
    if guest.type_command("workload --json").is_err() {
        return Err(silent("the machine has ended".into()));
    }
    let heard = guest
        .prompt_within_a_second()
        .map_err(|error| silent(error.to_string()))?;
    let (text, end) = match heard {
        Heard::Text(text) => (text, None),
        Heard::Nothing(text) => (text, Some("hang")),
        Heard::End(text) => (text, Some("end")),
    };
    let judged = match end {
        None => well(&text, workloads),
        Some(end) => Err(format!("{end} afterwards: {}", last_line(&text))),
    };
    judged.map_err(|cause| Wrong { cause, text })
}

/// What a system has counted that has printed `text` for all workloads, or what is wrong with it.
fn well(text: &str, workloads: usize) -> Result<Books, String> {
    let found = documents(text);
    let well = |it: &&Value| it["correct"] == true && it["attempts"] == 1;
    let right = found.iter().filter(well).count();
    if right != workloads {
        let wrong = found.iter().find(|it| !well(it));
        let name = wrong.and_then(|it| it["workload"].as_str()).unwrap_or("");
        return Err(format!(
            "afterwards {name} is not well: {}",
            first_fault(text)
        ));
    }
    if !console_is_right(text) {
        return Err("afterwards the console prints something else".into());
    }
    found
        .last()
        .map(Books::of)
        .ok_or_else(|| "no workload".into())
}

/// Waits for what comes of the fault that has just been injected.
pub(crate) fn observe(
    guest: &mut Guest,
    symbols: &Symbols,
    case: &Case,
    before: Books,
    workloads: usize,
) -> Result<(Verdict, Books), InjectError> {
    let text = match guest.prompt_within_a_second()? {
        Heard::Text(text) => text,
        Heard::Nothing(text) => {
            let place = place(guest, symbols)?;
            let cause = format!("hang in {place}");
            return Ok((lost(cause, &text, false), before));
        }
        Heard::End(text) => {
            let cause = format!("system ended: {}", last_line(&text));
            return Ok((lost(cause, &text, false), before));
        }
    };
    let found = documents(&text);
    let outcome = found.first().cloned().unwrap_or(Value::Null);
    let spent_ns = outcome["ns"].as_u64().unwrap_or(RECOVERY_NS);
    let after = match look_in_time(guest, workloads, spent_ns) {
        Ok(books) => books,
        Err(wrong) => {
            let text = format!("{text}\n--- afterwards:\n{}", wrong.text);
            return Ok((lost(wrong.cause, &text, false), before));
        }
    };
    let right =
        outcome["correct"] == true && (case.workload != "console" || console_is_right(&text));
    let ns = outcome["ns"].as_u64().unwrap_or(u64::MAX);
    let seen = after != before || !right || outcome["attempts"] != 1;
    let verdict = if !seen {
        Verdict::NoEffect
    } else if outcome.is_null() {
        let cause = format!("the command itself was ended: {}", first_fault(&text));
        lost(cause, &text, true)
    } else if !right {
        let cause = format!("wrong output: {}", first_fault(&text));
        lost(cause, &text, true)
    } else if ns > RECOVERY_NS {
        lost("not within a second".into(), &text, true)
    } else {
        Verdict::Recovered { ns }
    };
    Ok((verdict, after))
}

fn lost(cause: String, text: &str, well: bool) -> Verdict {
    const HEAD: usize = 2500;
    const TAIL: usize = 2500;
    let length = text.chars().count();
    let mut evidence: String = text.chars().take(HEAD).collect();
    if length > HEAD + TAIL {
        evidence.push_str("\n[…]\n");
    }
    evidence.extend(text.chars().skip(HEAD.max(length.saturating_sub(TAIL))));
    Verdict::Lost {
        cause: without_numbers(without_registers(&cause)),
        evidence,
        well,
    }
}

/// Where the machine is.
fn place(guest: &mut Guest, symbols: &Symbols) -> Result<String, InjectError> {
    guest.gdb.halt()?;
    let registers = guest.gdb.registers()?;
    let name = symbols
        .at(registers.rip())
        .map_or("unknown code", |function| function.name.as_str());
    let interrupts = if registers.interrupts_enabled() {
        "on"
    } else {
        "off"
    };
    Ok(format!("{name}, interrupts {interrupts}"))
}

/// The documents in `text`. One may stand in the middle of a line, when a report is written meanwhile.
fn documents(text: &str) -> Vec<Value> {
    text.match_indices("{\"workload\"")
        .filter_map(|(at, _)| {
            let rest = text.get(at..)?;
            let mut found = serde_json::Deserializer::from_str(rest).into_iter();
            found.next()?.ok()
        })
        .collect()
}

/// Guest time that the workloads took whose documents are in `text`.
fn time_in(text: &str) -> u64 {
    let found = documents(text);
    found.iter().filter_map(|it| it["ns"].as_u64()).sum()
}

/// Looks until the system is well, or its second is over, of which `spent_ns` are gone.
fn look_in_time(guest: &mut Guest, workloads: usize, spent_ns: u64) -> Result<Books, Wrong> {
    let mut spent_ns = spent_ns;
    loop {
        let found = look(guest, workloads);
        let Err(wrong) = &found else { return found };
        // Whatever is not a look at all of them takes no time that is known, and is the last.
        let took_ns = time_in(&wrong.text);
        spent_ns = spent_ns.saturating_add(took_ns);
        if documents(&wrong.text).len() < workloads || spent_ns > RECOVERY_NS {
            return found;
        }
    }
}

/// Whether the last lines of the workload `console` are as they should be.
fn console_is_right(text: &str) -> bool {
    let printed: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("line "))
        .collect();
    let wanted: Vec<String> = (0..CONSOLE_LINES)
        .map(|line| format!("line {line} of {CONSOLE_LINES}: {:#018x}", folded(line + 1)))
        .collect();
    let skipped = printed.len().saturating_sub(wanted.len());
    printed.iter().skip(skipped).eq(wanted.iter())
}

/// What the application `workload` prints for `count`.
fn folded(count: u64) -> u64 {
    (0..count).fold(0_u64, |sum, value| {
        (sum.rotate_left(7) ^ (value * value)).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    })
}

/// The last line of `text` that says something.
fn last_line(text: &str) -> String {
    let mut lines = text.lines().rev().map(str::trim);
    // The lines of a backtrace tell where, the line before them what.
    lines
        .find(|line| {
            line.contains(' ')
                && !line.starts_with(|first: char| first.is_ascii_digit())
                && !line.starts_with("at ")
                && !line.starts_with("in ")
        })
        .unwrap_or("silence")
        .to_owned()
}

/// The line in which the first fault was told.
fn first_fault(text: &str) -> String {
    text.lines()
        .find(|line| line.starts_with("task ") || line.contains("panic"))
        .unwrap_or("no fault told")
        .to_owned()
}

/// The last words of a system less the registers in them, which differ from case to case.
fn without_registers(text: &str) -> &str {
    text.split(": TrapFrame {").next().unwrap_or(text)
}

/// A text in which numbers are `#`.
fn without_numbers(text: &str) -> String {
    let mut plain = String::new();
    let mut in_number = false;
    let mut after_letter = false;
    for letter in text.chars() {
        let starts = letter.is_ascii_digit() && !after_letter;
        let continues = in_number && (letter.is_ascii_hexdigit() || letter == 'x');
        if starts && !in_number {
            plain.push('#');
        }
        in_number = starts || continues;
        if !in_number {
            plain.push(letter);
        }
        after_letter = letter.is_ascii_alphabetic() || letter == '_';
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_causes_are_equal() {
        assert_eq!(
            without_numbers("task 17 \"x\": page fault at 0xffff80a0"),
            "task # \"x\": page fault at #"
        );
        assert_eq!(without_numbers("vector 14 at r8"), "vector # at r8");
        assert_eq!(
            without_registers("exception 14 at 5: TrapFrame { rax: a }"),
            "exception 14 at 5"
        );
    }

    #[test]
    fn documents_may_stand_in_the_middle_of_a_line() {
        let text =
            "at workloads.rs:1, in{\"workload\":\"spawn\",\"ns\":7}\nlined\n{\"workload\":\"cut";
        assert_eq!(documents(text).len(), 1);
        assert_eq!(time_in(text), 7);
    }

    #[test]
    fn the_console_is_looked_at_word_by_word() {
        let line = |number: u64| {
            format!(
                "line {number} of {CONSOLE_LINES}: {:#018x}\n",
                folded(number + 1)
            )
        };
        let text: String = (0..CONSOLE_LINES).map(line).collect();
        assert!(console_is_right(&text));
        assert!(console_is_right(&format!("{}{text}", line(0))));
        assert!(!console_is_right(&text.replace("line 3 of", "line 3 on")));
        assert!(!console_is_right(""));
    }
}
