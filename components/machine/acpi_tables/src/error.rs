//! What can be wrong with a table.

use core::fmt;

/// What is wrong with a table, and which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableError {
    /// There is no root pointer.
    NoRoot,
    /// The root pointer is damaged.
    BadRoot {
        /// Its physical address.
        address: u64,
    },
    /// The root does not list the table.
    Missing {
        /// The table's name.
        signature: Name,
    },
    /// The memory of the table cannot be read.
    Unreadable {
        /// Its physical address.
        address: u64,
    },
    /// The table's length is absurd.
    BadLength {
        /// The table's name.
        signature: Name,
        /// The length it claims.
        length: u32,
    },
    /// The table's bytes do not add up to 0.
    BadChecksum {
        /// The table's name.
        signature: Name,
    },
    /// The table ends inside something that it has to say.
    Truncated {
        /// The table's name.
        signature: Name,
        /// Where that begins.
        offset: usize,
    },
    /// The definition block does not say how to switch off.
    NoSleepOff,
}

/// The four letters of a table's name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name(pub [u8; 4]);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRoot => f.write_str("the firmware has no ACPI tables; using a PC's defaults"),
            Self::BadRoot { address } => write!(f, "damaged root pointer at {address:#x}"),
            Self::Missing { signature } => write!(f, "there is no table {signature}"),
            Self::Unreadable { address } => write!(f, "cannot read the table at {address:#x}"),
            Self::BadLength { signature, length } => {
                write!(f, "table {signature} claims a length of {length} bytes")
            }
            Self::BadChecksum { signature } => write!(f, "table {signature} has a bad checksum"),
            Self::Truncated { signature, offset } => {
                write!(
                    f,
                    "table {signature} ends inside the entry at offset {offset}"
                )
            }
            Self::NoSleepOff => f.write_str("table DSDT does not say how to switch off"),
        }
    }
}

impl core::error::Error for TableError {}
