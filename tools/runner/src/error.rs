//! Why a machine cannot be run.

use std::{fmt, io, path::PathBuf};

/// Why a machine cannot be run.
#[derive(Debug)]
pub enum RunnerError {
    /// A setting has a value that it cannot have.
    Setting {
        /// Its name, as on `make`'s command line.
        name: &'static str,
        /// The value given.
        value: String,
        /// What would be right.
        expected: &'static str,
    },
    /// Something that the build should have made is not there.
    Missing {
        /// What.
        path: PathBuf,
        /// The command that makes it.
        make: &'static str,
    },
    /// No system runs in this workspace.
    NothingRuns,
    /// No UEFI firmware in any of the usual places.
    NoFirmware,
    /// QEMU, or another program, does not start.
    Start {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// A file, socket or pipe failed.
    Io {
        /// What was done with what.
        what: String,
        /// Why.
        source: io::Error,
    },
}

impl RunnerError {
    /// For `map_err`: an I/O error while doing `what`.
    pub fn io(what: impl fmt::Display) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            what: what.to_string(),
            source,
        }
    }
}

impl fmt::Display for RunnerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting {
                name,
                value,
                expected,
            } => {
                write!(f, "{name}={value} is not possible; it takes {expected}")
            }
            Self::Missing { path, make } => {
                write!(f, "{} is not there; `{make}` makes it", path.display())
            }
            Self::NothingRuns => {
                write!(
                    f,
                    "no system runs here; start one with `make run` in another terminal"
                )
            }
            Self::NoFirmware => write!(f, "no UEFI firmware found; it comes with package ovmf"),
            Self::Start { program, source } => write!(f, "cannot start {program}: {source}"),
            Self::Io { what, source } => write!(f, "{what}: {source}"),
        }
    }
}

impl std::error::Error for RunnerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Start { source, .. } | Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
