//! What can go wrong while the image is built, and whose fault it is.

use serde::{Deserialize, Serialize};
use std::{
    fmt, io,
    path::{Path, PathBuf},
};

/// Result of a build step.
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// Why the image could not be built.
#[derive(Debug)]
pub enum Error {
    /// The operating system refused something.
    Io {
        /// What was tried, such as "read".
        action: &'static str,
        /// On which file or program.
        path: PathBuf,
        /// Its answer.
        source: io::Error,
    },
    /// A program that the build runs failed.
    Program {
        /// The program and what it was to do.
        program: String,
        /// What it said.
        message: String,
    },
    /// A manifest is not as it should be.
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// The answer of `cargo` or `rustc` was not understood.
    Toolchain(String),
    /// An object is not as the compiler writes them.
    Object {
        /// The crate that it belongs to.
        component: String,
        /// What is wrong.
        message: String,
    },
    /// Checks over all objects failed.
    Checks(Vec<Violation>),
    /// A command line that is not understood.
    Usage(String),
}

/// A rule that an object breaks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Violation {
    /// The crate at fault.
    pub component: String,
    /// Which rule, and which symbol breaks it.
    pub message: String,
}

impl Error {
    /// For `map_err` after an operation on a file.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }

    /// An object of `component` that is not as the compiler writes them.
    pub fn object(component: &str, message: impl fmt::Display) -> Self {
        Self::Object {
            component: component.to_owned(),
            message: message.to_string(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io {
                action,
                path,
                source,
            } => {
                write!(f, "cannot {action} {}: {source}", path.display())
            }
            Self::Program { program, message } => write!(f, "{program} failed: {message}"),
            Self::Manifest { path, message } => write!(f, "{}: {message}", path.display()),
            Self::Toolchain(message) => f.write_str(message),
            Self::Object { component, message } => write!(f, "object of {component}: {message}"),
            Self::Checks(violations) => {
                write!(f, "{} checks failed", violations.len())?;
                for violation in violations {
                    write!(f, "\n  {violation}")?;
                }
                Ok(())
            }
            Self::Usage(message) => f.write_str(message),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.component, self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
