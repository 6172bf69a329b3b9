//! One record, and how it looks as a line.

use crate::{MESSAGE_LIMIT, text::FixedText};
use core::fmt::{self, Display, Write};
use log::Level;

/// Longest name of a place that logs; the rest is cut.
pub(crate) const TARGET_LIMIT: usize = 48;

/// What was logged.
pub struct Record {
    /// When, in nanoseconds since the clock started.
    pub time_ns: u64,
    /// How bad.
    pub level: Level,
    target: FixedText<TARGET_LIMIT>,
    message: FixedText<MESSAGE_LIMIT>,
}

impl Record {
    pub(crate) fn new(time_ns: u64, level: Level, target: &str, message: &str) -> Self {
        let mut record = Self {
            time_ns,
            level,
            target: FixedText::new(),
            message: FixedText::new(),
        };
        // What does not fit is cut.
        let _ = record.target.write_str(target);
        let _ = record.message.write_str(message);
        record
    }

    /// The module that logged.
    #[must_use]
    pub fn target(&self) -> &str {
        self.target.as_str()
    }

    /// What it said.
    #[must_use]
    pub fn message(&self) -> &str {
        self.message.as_str()
    }
}

#[cfg(not(feature = "alternate"))]
impl Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.time_ns / 1000;
        let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
        let (level, target, message) = (self.level.as_str(), self.target(), self.message());
        write!(
            f,
            "[{seconds:5}.{micros:06}] {level:<5} {target}: {message}"
        )
    }
}

#[cfg(feature = "alternate")]
impl Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.time_ns / 1000;
        let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
        let (level, target, message) = (self.level.as_str(), self.target(), self.message());
        write!(
            f,
            "{level} | {target} | {message} | {seconds}.{micros:06} s"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Record;
    use alloc::string::ToString;

    #[test]
    fn builds_write_different_lines() {
        let line = Record::new(1_234_567_890, log::Level::Warn, "clock", "is late").to_string();
        if cfg!(feature = "alternate") {
            assert_eq!(line, "WARN | clock | is late | 1.234567 s");
        } else {
            assert_eq!(line, "[    1.234567] WARN  clock: is late");
        }
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let record = Record::new(0, log::Level::Info, "t", &"é".repeat(300));
        assert_eq!(record.message().chars().count(), 200);
    }
}
