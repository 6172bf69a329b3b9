//! What the archive and the line tables beside it begin with: a header that says how long the whole is and
//! how long its index, and has the index's checksum.

use super::{Record, record::records};
use core::{fmt, ops::Range};
use xxhash_rust::xxh3::Xxh3Default;

records! {
    /// What each such header begins with.
    pub(super) struct Prefix {
        /// What it is.
        pub magic: u64,
        /// Version of the format.
        pub version: u32,
        /// Length of header, tables and strings in bytes.
        pub index_length: u32,
        /// XXH3-64 of the first `index_length` bytes, taken with this field as 0.
        pub checksum: u64,
        /// Length of the whole in bytes.
        pub length: u64,
    }
}

/// Where the checksum lies in it.
const CHECKSUM: Range<usize> = 16..24;

/// Why bytes are not what they are taken for, or not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexError {
    /// Shorter than the header or than the length that it gives.
    Truncated {
        /// Bytes that are there.
        length: usize,
        /// Bytes that should be there.
        expected: u64,
    },
    /// The first word is another one.
    Magic {
        /// The first word.
        found: u64,
        /// The one that it should be.
        expected: u64,
    },
    /// Of another version of the format.
    Version {
        /// The version.
        found: u32,
        /// The one that this linker reads.
        expected: u32,
    },
    /// The index does not have the checksum that the header gives.
    Checksum {
        /// Checksum of the bytes.
        found: u64,
        /// Checksum that the header gives.
        expected: u64,
    },
}

impl fmt::Display for IndexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { length, expected } => {
                write!(f, "cut off: {length} bytes of {expected}")
            }
            Self::Magic { found, expected } => {
                let expected = expected.to_le_bytes();
                let expected = expected.escape_ascii();
                write!(f, "first word {found:#018x}, not \"{expected}\"")
            }
            Self::Version { found, expected } => write!(
                f,
                "format version {found}, and this linker reads {expected}"
            ),
            Self::Checksum { found, expected } => write!(
                f,
                "damaged index: checksum {found:#018x}, not {expected:#018x}"
            ),
        }
    }
}

impl core::error::Error for IndexError {}

/// The index of `bytes`, and the whole without what follows it.
pub(super) fn check(
    bytes: &[u8],
    magic: u64,
    version: u32,
    header_size: usize,
) -> Result<(&[u8], &[u8]), IndexError> {
    let truncated = |expected| IndexError::Truncated {
        length: bytes.len(),
        expected,
    };
    let header = bytes
        .get(..header_size)
        .and_then(Prefix::decode)
        .ok_or(truncated(header_size as u64))?;
    if header.magic != magic {
        return Err(IndexError::Magic {
            found: header.magic,
            expected: magic,
        });
    }
    if header.version != version {
        return Err(IndexError::Version {
            found: header.version,
            expected: version,
        });
    }
    let first = |length: u64| {
        let part = usize::try_from(length)
            .ok()
            .and_then(|length| bytes.get(..length));
        part.ok_or(truncated(length))
    };
    let index = first(header.index_length.into())?;
    let found = checksum(index).ok_or(truncated(header_size as u64))?;
    if found != header.checksum {
        return Err(IndexError::Checksum {
            found,
            expected: header.checksum,
        });
    }
    Ok((index, first(header.length)?))
}

/// The checksum of an index: XXH3-64 with the checksum's own field as 0.
///
/// `None` when `index` is shorter than what has that field.
#[must_use]
pub fn checksum(index: &[u8]) -> Option<u64> {
    let before = index.get(..CHECKSUM.start)?;
    let after = index.get(CHECKSUM.end..)?;
    let mut hasher = Xxh3Default::new();
    hasher.update(before);
    hasher.update(&[0; 8]);
    hasher.update(after);
    Some(hasher.digest())
}
