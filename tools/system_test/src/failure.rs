//! Why a test failed.

use runner::{Outcome, RunnerError};
use std::{fmt, time::Duration};

/// Why a test failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something is not as it should be.
    Wrong(String),
    /// Something did not come in time.
    Late {
        /// What was waited for.
        wanted: String,
        /// For how long.
        limit: Duration,
    },
    /// The machine ended when it should not have.
    Ended(Outcome),
    /// The machine could not be run.
    Runner(RunnerError),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wrong(what) => f.write_str(what),
            Self::Late { wanted, limit } => {
                write!(f, "no {wanted:?} within {} s", limit.as_secs())
            }
            Self::Ended(outcome) => write!(f, "unexpected end: {outcome}"),
            Self::Runner(error) => error.fmt(f),
        }
    }
}

impl From<RunnerError> for Failure {
    fn from(error: RunnerError) -> Self {
        Self::Runner(error)
    }
}

/// What a test returns.
pub(crate) type Verdict = Result<(), Failure>;

/// Fails with `what` unless `condition` holds.
pub(crate) fn ensure(condition: bool, what: impl FnOnce() -> String) -> Verdict {
    if condition {
        Ok(())
    } else {
        Err(Failure::Wrong(what()))
    }
}

/// Fails unless `found` contains `wanted`.
pub(crate) fn contains(found: &str, wanted: &str) -> Verdict {
    ensure(found.contains(wanted), || {
        format!("{wanted:?} is not in {found:?}")
    })
}

/// Fails unless both are equal.
pub(crate) fn equal<T: PartialEq + fmt::Debug>(found: T, wanted: T) -> Verdict {
    ensure(found == wanted, || {
        format!("{found:?} instead of {wanted:?}")
    })
}
