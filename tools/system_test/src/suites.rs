//! All tests.

mod boot;
mod commands;
mod crash;
mod run;
mod shell;
mod swap;

use crate::plan::Suite;

/// All suites. Those that take longest come first, so that the two workers end together.
pub(crate) const ALL: &[Suite] = &[
    boot::SUITE,
    crash::SUITE,
    run::SUITE,
    swap::SUITE,
    commands::SUITE,
    shell::SUITE,
];
