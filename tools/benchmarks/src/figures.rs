//! Figures by operation.

use std::collections::BTreeMap;

/// Whose figure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// This system.
    Strake,
    /// Linux, seen by a program.
    LinuxUser,
    /// Linux, inside its kernel, where no privilege is crossed.
    LinuxInside,
}

/// A measured figure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Figure {
    /// Whose.
    pub(crate) side: Side,
    /// By which means, where there are several.
    pub(crate) how: String,
    /// Instructions, nanoseconds or bytes.
    pub(crate) value: u64,
}

/// The figures of one way to measure.
#[derive(Default)]
pub(crate) struct Figures {
    rows: BTreeMap<String, Vec<Figure>>,
}

impl Figures {
    pub(crate) fn add(&mut self, operation: &str, figure: Figure) {
        self.rows.entry(operation.into()).or_default().push(figure);
    }

    pub(crate) fn join(&mut self, other: Self) {
        for (operation, figures) in other.rows {
            self.rows.entry(operation).or_default().extend(figures);
        }
    }

    /// All that were measured for an operation on one side.
    pub(crate) fn of(&self, operation: &str, side: Side) -> impl Iterator<Item = &Figure> {
        let figures = self.rows.get(operation).into_iter().flatten();
        figures.filter(move |figure| figure.side == side)
    }

    /// The lowest of them: what a comparison has to beat.
    pub(crate) fn lowest(&self, operation: &str, side: Side) -> Option<&Figure> {
        self.of(operation, side).min_by_key(|figure| figure.value)
    }

    /// Whether one side has any figure.
    pub(crate) fn has(&self, side: Side) -> bool {
        self.rows
            .values()
            .flatten()
            .any(|figure| figure.side == side)
    }

    /// Reads what the Linux guest prints: `row OPERATION user|inside HOW VALUE`, after a time stamp
    /// when the kernel prints it.
    pub(crate) fn read_linux(text: &str) -> Self {
        let mut figures = Self::default();
        for line in text.lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            let Some(start) = words.iter().position(|word| *word == "row") else {
                continue;
            };
            let Some(["row", operation, side, how, value]) = words.get(start..) else {
                continue;
            };
            let side = match *side {
                "user" => Side::LinuxUser,
                "inside" => Side::LinuxInside,
                _ => continue,
            };
            if let Ok(value) = value.parse() {
                let how = (*how).into();
                figures.add(operation, Figure { side, how, value });
            }
        }
        figures
    }

    /// The same in nanoseconds, for figures in ticks of a counter that made `ticks` in `nanoseconds`.
    /// Bytes are left as they are, and so are clocks, which are nanoseconds already.
    pub(crate) fn scale(&mut self, ticks: u64, nanoseconds: u64, unscaled: &[&str]) {
        for (operation, figures) in &mut self.rows {
            if unscaled.contains(&operation.as_str()) {
                continue;
            }
            for figure in figures {
                let scaled =
                    u128::from(figure.value) * u128::from(nanoseconds) / u128::from(ticks.max(1));
                figure.value = u64::try_from(scaled).unwrap_or(u64::MAX);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "row yield user FIFO 1672\r
[    2.67] row yield inside kthreads 2529
row yield user fair 2566
row yield user broken
row yield elsewhere x 1
failed: /nothing
";

    #[test]
    fn reads_rows_of_program_and_kernel() {
        let figures = Figures::read_linux(PRINTED);
        assert_eq!(figures.of("yield", Side::LinuxUser).count(), 2);
        let lowest = |side| figures.lowest("yield", side).map(|figure| figure.value);
        assert_eq!(lowest(Side::LinuxUser), Some(1672));
        assert_eq!(lowest(Side::LinuxInside), Some(2529));
        assert_eq!(lowest(Side::Strake), None);
        assert!(!figures.has(Side::Strake));
    }

    #[test]
    fn scales_ticks_and_nothing_else() {
        let mut figures = Figures::read_linux("row memory user used 100\nrow heap user malloc 50");
        figures.scale(2_000, 1_000, &["memory"]);
        let value = |name| figures.lowest(name, Side::LinuxUser).map(|it| it.value);
        assert_eq!(value("memory"), Some(100));
        assert_eq!(value("heap"), Some(25));
    }
}
