//! Why a comparison could not be made.

use linker::{LinkError, ObjectError};
use std::path::PathBuf;

/// Why a comparison could not be made.
#[derive(Debug)]
pub enum OracleError {
    /// An input or the reference's output is not an ELF file.
    Object {
        /// Which.
        name: String,
        /// Why.
        error: object::Error,
    },
    /// Our linker refused an object.
    Refused {
        /// Which.
        name: String,
        /// Why.
        error: ObjectError,
    },
    /// Our linker could not link.
    Link(LinkError),
    /// The images do not fit in the object area.
    Full,
    /// A file could not be read or written.
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// `rust-lld` failed.
    Reference(String),
    /// A relocation's place cannot be read in one of the links, or its type is not known.
    Unreadable {
        /// The object it is in.
        object: String,
        /// The section it is in.
        section: String,
        /// Its offset there.
        offset: u64,
        /// Its type.
        kind: u32,
    },
}

impl core::fmt::Display for OracleError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Object { name, error } => write!(f, "{name}: {error}"),
            Self::Refused { name, error } => write!(f, "{name}: {error}"),
            Self::Link(error) => error.fmt(f),
            Self::Full => f.write_str("the objects do not fit in the object area"),
            Self::File { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Reference(message) => write!(f, "rust-lld: {message}"),
            Self::Unreadable {
                object,
                section,
                offset,
                kind,
            } => write!(
                f,
                "{object}, {section} + {offset:#x}: relocation of type {kind} cannot be followed"
            ),
        }
    }
}

impl core::error::Error for OracleError {}

impl From<LinkError> for OracleError {
    fn from(error: LinkError) -> Self {
        Self::Link(error)
    }
}
