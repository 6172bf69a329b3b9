//! Why a window could not be had or used.

use core::fmt;

use handover::PhysicalRange;

/// Why a window could not be had or used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceMemoryError {
    /// No mapper is registered yet.
    NoMapper,
    /// The range is empty or ends before it starts.
    Empty {
        /// The range.
        range: PhysicalRange,
    },
    /// The mapper had no memory for page tables, or no addresses.
    NotMapped {
        /// The range.
        range: PhysicalRange,
    },
    /// An access lies outside the window, or is not aligned to its size.
    BadAccess {
        /// Offset in the window.
        offset: usize,
        /// Size of the access in bytes.
        size: usize,
        /// Length of the window in bytes.
        window: usize,
    },
}

impl fmt::Display for DeviceMemoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMapper => f.write_str("device memory asked for before `mappings` serves it"),
            Self::Empty { range } => {
                write!(f, "empty device range {:#x}..{:#x}", range.start, range.end)
            }
            Self::NotMapped { range } => {
                write!(
                    f,
                    "could not map physical {:#x}..{:#x}",
                    range.start, range.end
                )
            }
            Self::BadAccess {
                offset,
                size,
                window,
            } => write!(
                f,
                "access of {size} bytes at offset {offset:#x} of a window of {window:#x} bytes"
            ),
        }
    }
}

impl core::error::Error for DeviceMemoryError {}
