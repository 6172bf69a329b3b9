//! The live namespace: load, link, unload.
#![no_std]

extern crate alloc;

use alloc::{string::String, vec::Vec};
use core::fmt;

/// Why the loader could not do what it was asked.
#[derive(Clone, Debug)]
pub enum LoadError {
    /// The loader has not adopted the nucleus's components yet.
    NotStarted,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted => f.write_str("the loader has not started yet"),
        }
    }
}

impl core::error::Error for LoadError {}

/// A command of the manifest.
#[derive(Clone, Debug)]
pub struct CommandInfo {
    /// What the user types.
    pub name: String,
    /// One line for `help`.
    pub summary: String,
    /// The application that runs.
    pub application: String,
}

/// The commands of the manifest, sorted by name.
#[must_use]
pub fn commands() -> Vec<CommandInfo> {
    Vec::new()
}

/// One run of an application: its own statics and stubs. Dropping it unlinks them.
#[derive(Debug)]
pub struct Instance {
    entry: component::Application,
}

impl Instance {
    /// Its entry, to be called only while the instance lives.
    #[must_use]
    pub const fn entry(&self) -> component::Application {
        self.entry
    }
}

/// Loads and links an application for one run.
///
/// # Errors
///
/// Names what could not be loaded or linked.
pub fn instantiate(_application: &str) -> Result<Instance, LoadError> {
    Err(LoadError::NotStarted)
}
