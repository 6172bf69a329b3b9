//! Why a campaign, or a case of it, cannot go on.

use runner::RunnerError;
use std::{fmt, io};

/// Why a campaign, or a case of it, cannot go on.
#[derive(Debug)]
pub(crate) enum InjectError {
    /// A setting makes no sense.
    Setting {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: String,
        /// What would be right.
        expected: String,
    },
    /// The machine cannot be made.
    Runner(RunnerError),
    /// The debugger's connection failed.
    Gdb {
        /// While doing what.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// QEMU refused a request of the debugger's.
    Refused {
        /// The request.
        packet: String,
        /// The answer.
        answer: String,
    },
    /// QEMU does not answer the debugger.
    Silent,
    /// QEMU has ended.
    Gone,
    /// The system did not say what it should.
    Unexpected(String),
}

impl InjectError {
    pub(crate) const fn gdb(what: &'static str, source: io::Error) -> Self {
        Self::Gdb { what, source }
    }
}

impl From<RunnerError> for InjectError {
    fn from(error: RunnerError) -> Self {
        Self::Runner(error)
    }
}

impl fmt::Display for InjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting {
                name,
                value,
                expected,
            } => write!(f, "{name}={value} is not possible; it takes {expected}"),
            Self::Runner(error) => fmt::Display::fmt(error, f),
            Self::Gdb { what, source } => write!(f, "{what} to QEMU's debugger: {source}"),
            Self::Refused { packet, answer } => {
                write!(f, "QEMU's debugger answers {answer} to {packet}")
            }
            Self::Silent => f.write_str("QEMU's debugger does not answer"),
            Self::Gone => f.write_str("QEMU has ended"),
            Self::Unexpected(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for InjectError {}
