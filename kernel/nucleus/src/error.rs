//! Why the machine cannot be booted.

use crate::{
    boot::{multiboot::MultibootError, pvh::PvhError},
    exit::Status,
    features::Feature,
};
use alloc::string::String;
use core::fmt;
use linker::{LinkError, ObjectError, format::archive::ArchiveError};

/// Why the machine cannot be booted.
#[derive(Debug)]
pub(crate) enum BootError {
    /// The boot loader speaks neither protocol.
    UnknownProtocol,
    /// The multiboot2 information is unusable.
    Multiboot(MultibootError),
    /// The PVH start information is unusable.
    Pvh(PvhError),
    /// The CPU lacks something.
    Cpu(Feature),
    /// There is less memory than a boot needs.
    TooLittleMemory {
        /// Usable bytes.
        there: u64,
        /// Bytes that are needed.
        needed: u64,
    },
    /// Memory ran out.
    OutOfMemory {
        /// Bytes that were asked for.
        asked: u64,
        /// Bytes that were left, not necessarily in one piece.
        free: u64,
    },
    /// The archive lies where the nucleus cannot read it.
    ArchiveOutside {
        /// Its physical address.
        start: u64,
        /// Its end.
        end: u64,
    },
    /// The archive's index is unusable.
    Archive(ArchiveError),
    /// A member lies outside the archive or is not what the index says.
    Member {
        /// The member's name.
        name: String,
        /// What is wrong.
        error: ArchiveError,
    },
    /// A member is no object for this linker.
    Object {
        /// The member's name.
        name: String,
        /// What is wrong.
        error: ObjectError,
    },
    /// An object cannot be linked.
    Link(LinkError),
    /// There is no room for an object in the address space.
    ObjectAreaFull {
        /// The object's name.
        name: String,
    },
    /// The hand-over record is longer than was reckoned.
    RecordFull,
    /// The member that has the entry function is not loaded.
    NoEntry,
    /// The archive or an object's metadata names a symbol that does not exist.
    NoSymbol {
        /// The object's name.
        name: String,
        /// The symbol's index.
        symbol: u32,
    },
}

impl BootError {
    /// The status with which the machine ends.
    #[must_use]
    pub(crate) const fn status(&self) -> Status {
        match self {
            Self::Cpu(_) => Status::Cpu,
            Self::TooLittleMemory { .. } | Self::OutOfMemory { .. } => Status::Memory,
            _ => Status::Failure,
        }
    }
}

impl fmt::Display for BootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownProtocol => {
                f.write_str("started neither by a multiboot2 loader nor by PVH")
            }
            Self::Multiboot(error) => error.fmt(f),
            Self::Pvh(error) => error.fmt(f),
            Self::Cpu(feature) => write!(f, "this CPU lacks {feature}, which is needed"),
            Self::TooLittleMemory { there, needed } => write!(
                f,
                "too little memory: {} KiB usable, {} KiB needed",
                there / 1024,
                needed / 1024
            ),
            Self::OutOfMemory { asked, free } => write!(
                f,
                "out of memory: {} KiB more needed in one piece, {} KiB left",
                asked.div_ceil(1024),
                free / 1024
            ),
            Self::ArchiveOutside { start, end } => {
                write!(f, "the archive at {start:#x} to {end:#x} does not lie below 4 GiB")
            }
            Self::Archive(error) => error.fmt(f),
            Self::Member { name, error } => write!(f, "{name}: {error}"),
            Self::Object { name, error } => write!(f, "{name}: {error}"),
            Self::Link(error) => error.fmt(f),
            Self::ObjectAreaFull { name } => {
                write!(f, "{name}: the address space for objects is full")
            }
            Self::RecordFull => f.write_str("the hand-over record is longer than was reckoned"),
            Self::NoEntry => f.write_str("the archive names no entry function"),
            Self::NoSymbol { name, symbol } => {
                write!(f, "{name}: the symbol {symbol}, which is needed, is not defined")
            }
        }
    }
}

impl core::error::Error for BootError {}

macro_rules! from {
    ($($error:ty => $variant:ident),* $(,)?) => {$(
        impl From<$error> for BootError {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        }
    )*};
}

from! {
    MultibootError => Multiboot,
    PvhError => Pvh,
    Feature => Cpu,
    ArchiveError => Archive,
    LinkError => Link,
}
