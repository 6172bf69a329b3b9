//! Why a CPU does not take part.

use core::fmt;

use alloc::alloc::Layout;
use mappings::MappingError;
use stacks::StackError;
use task::SpawnError;

/// Why a CPU does not take part.
#[derive(Debug)]
pub enum SmpError {
    /// There is no free frame below 1 MiB on which it could begin.
    NoTrampoline,
    /// The page tables lie where a CPU in real mode cannot name them.
    TablesTooHigh {
        /// The physical address of the root table.
        root: u64,
    },
    /// The frame to begin on cannot be mapped.
    Mapping(MappingError),
    /// There is no stack to begin on.
    Stack(StackError),
    /// There is no idle task for it.
    Idle(SpawnError),
    /// There is no memory for its interrupt stacks.
    Memory(Layout),
    /// The system has numbers for so many CPUs only.
    TooMany {
        /// How many.
        most: usize,
    },
    /// The interrupt controller cannot name it.
    Unreachable,
    /// It did not begin.
    Silent,
    /// It began and did not get to its idle task.
    Lost,
}

impl fmt::Display for SmpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTrampoline => f.write_str("no free frame below 1 MiB to begin on"),
            Self::TablesTooHigh { root } => {
                write!(
                    f,
                    "the page tables at {root:#x} are out of reach in real mode"
                )
            }
            Self::Mapping(error) => error.fmt(f),
            Self::Stack(error) => error.fmt(f),
            Self::Idle(error) => error.fmt(f),
            Self::Memory(layout) => write!(f, "no {} bytes for interrupt stacks", layout.size()),
            Self::TooMany { most } => write!(f, "the system uses {most} CPUs at most"),
            Self::Unreachable => f.write_str("its local APIC's number is too high for an xAPIC"),
            Self::Silent => f.write_str("it does not answer"),
            Self::Lost => f.write_str("it began and got lost on its way"),
        }
    }
}

impl core::error::Error for SmpError {}

impl From<MappingError> for SmpError {
    fn from(error: MappingError) -> Self {
        Self::Mapping(error)
    }
}

impl From<StackError> for SmpError {
    fn from(error: StackError) -> Self {
        Self::Stack(error)
    }
}

impl From<SpawnError> for SmpError {
    fn from(error: SpawnError) -> Self {
        Self::Idle(error)
    }
}
