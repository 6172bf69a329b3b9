//! Why a mapping could not be made.

use core::fmt;

use frames::FrameError;
use handover::VirtualRange;

/// Why a mapping could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MappingError {
    /// There were no frames for its pages or for page tables.
    Frames(FrameError),
    /// The area has no free addresses for that many bytes.
    NoAddresses {
        /// How many bytes were wanted.
        bytes: u64,
    },
    /// Zero bytes were asked for, or the range is not page aligned.
    BadRange {
        /// The range.
        range: VirtualRange,
    },
    /// A page of the range is mapped already.
    AlreadyMapped {
        /// The page's address.
        address: u64,
    },
    /// A page of the range is not mapped.
    NotMapped {
        /// The page's address.
        address: u64,
    },
    /// The mapping is not writable, or does not own its pages alone.
    NotWritable {
        /// The mapping.
        range: VirtualRange,
    },
}

impl fmt::Display for MappingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frames(error) => error.fmt(f),
            Self::NoAddresses { bytes } => write!(f, "no free addresses for {bytes} bytes"),
            Self::BadRange { range } => {
                write!(
                    f,
                    "{:#x}..{:#x} is no range of pages",
                    range.start, range.end
                )
            }
            Self::AlreadyMapped { address } => write!(f, "{address:#x} is mapped already"),
            Self::NotMapped { address } => write!(f, "{address:#x} is not mapped"),
            Self::NotWritable { range } => {
                write!(
                    f,
                    "{:#x}..{:#x} is not ours to write",
                    range.start, range.end
                )
            }
        }
    }
}

impl core::error::Error for MappingError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Frames(error) => Some(error),
            _ => None,
        }
    }
}

impl From<FrameError> for MappingError {
    fn from(error: FrameError) -> Self {
        Self::Frames(error)
    }
}
