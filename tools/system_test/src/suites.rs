//! All tests.

mod boot;
mod commands;
mod crash;
mod replace;
mod run;
mod shell;
mod swap;
mod tutorial;

use crate::plan::Suite;

/// All suites. Those that take longest come first, so that the two workers end together.
pub(crate) const ALL: &[Suite] = &[
    tutorial::SUITE,
    replace::SUITE,
    boot::SUITE,
    crash::SUITE,
    run::SUITE,
    swap::SUITE,
    commands::SUITE,
    shell::SUITE,
];
