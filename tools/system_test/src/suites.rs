//! All tests.

mod boot;
mod shell;

use crate::plan::Suite;

/// All suites. Those that take longest come first, so that the two workers end together.
pub(crate) const ALL: &[Suite] = &[boot::SUITE, shell::SUITE];
