//! All tests.

mod boot;
mod commands;
mod crash;
mod debug;
mod figures;
mod files;
mod inject;
mod integrity;
mod lines;
mod objects;
mod policies;
mod replace;
mod run;
mod second_port;
mod shell;
pub(crate) mod swap;
mod sync;
mod tasks;
mod tutorial;

use crate::plan::Suite;

/// All suites. Those that take longest come first, so that the two workers end together.
pub(crate) const ALL: &[Suite] = &[
    tutorial::SUITE,
    replace::SUITE,
    boot::SUITE,
    crash::SUITE,
    integrity::SUITE,
    lines::SUITE,
    inject::SUITE,
    run::SUITE,
    debug::SUITE,
    figures::SUITE,
    files::INSIDE,
    files::SUITE,
    second_port::SUITE,
    objects::SUITE,
    swap::SUITE,
    sync::SUITE,
    tasks::SUITE,
    policies::SUITE,
    policies::COMMANDS,
    replace::EDITS,
    commands::SUITE,
    shell::SUITE,
];
