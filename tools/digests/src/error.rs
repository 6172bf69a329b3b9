//! Why an object's shapes cannot be read.

/// Why an object's shapes cannot be read.
#[derive(Debug)]
pub enum DigestError {
    /// The bytes are not a 64-bit little-endian ELF object.
    Object(object::Error),
    /// The debug information is malformed.
    Debug(gimli::Error),
    /// A relocation lies outside the section that it belongs to.
    RelocationOutside {
        /// The section.
        section: String,
        /// Where the relocation would write.
        offset: u64,
    },
    /// An entry of the debug information refers to one that is not there.
    DanglingReference {
        /// Offset in `.debug_info` that it names.
        offset: usize,
    },
}

impl core::fmt::Display for DigestError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Object(error) => write!(f, "not a readable object: {error}"),
            Self::Debug(error) => write!(f, "malformed debug information: {error}"),
            Self::RelocationOutside { section, offset } => {
                write!(
                    f,
                    "relocation at {offset:#x} lies outside section {section}"
                )
            }
            Self::DanglingReference { offset } => {
                write!(
                    f,
                    "debug information refers to {offset:#x}, where there is no entry"
                )
            }
        }
    }
}

impl core::error::Error for DigestError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Object(error) => Some(error),
            Self::Debug(error) => Some(error),
            Self::RelocationOutside { .. } | Self::DanglingReference { .. } => None,
        }
    }
}

impl From<object::Error> for DigestError {
    fn from(error: object::Error) -> Self {
        Self::Object(error)
    }
}

impl From<gimli::Error> for DigestError {
    fn from(error: gimli::Error) -> Self {
        Self::Debug(error)
    }
}
