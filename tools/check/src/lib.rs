//! `make check`: everything that must hold and that a test does not show.
//!
//! Each check is one function from the workspace to a list of complaints; all run, so that one round
//! shows all there is to mend. Neighbours: `image` refuses what would make a wrong object; this
//! program refuses what would make a worse source. Left out: whatever the compiler already denies.
#![forbid(unsafe_code)]

pub mod book;
pub mod cargo;
pub mod files;
pub mod grants;
pub mod layers;
pub mod nucleus;
pub mod workspace;

use workspace::Workspace;

/// What is wrong, one line each.
pub type Complaints = Vec<String>;

/// A check: its name and what it finds.
pub type Check = (&'static str, fn(&Workspace) -> Complaints);

/// The checks, quick ones first.
pub const CHECKS: &[Check] = &[
    ("format", cargo::format),
    ("files", files::check),
    ("layers", layers::check),
    ("unsafe grants", grants::check),
    ("book links", book::check),
    ("lints", cargo::lints),
    ("documentation", cargo::documentation),
    ("nucleus", nucleus::check),
];
