//! What the boot loader tells, whatever its protocol.

pub mod multiboot;
pub mod pvh;

use crate::memory_map::RawRegion;
use alloc::{string::String, vec::Vec};
use handover::{BootProtocol, PhysicalRange};

/// What the boot loader told, copied out of its structures, whose memory may now be used.
#[derive(Debug)]
pub struct BootInformation {
    /// The protocol.
    pub protocol: BootProtocol,
    /// The command line.
    pub command_line: String,
    /// The memory map as it was given.
    pub memory: Vec<RawRegion>,
    /// ACPI's root pointer.
    pub acpi: AcpiRoot,
    /// Where the archive lies: the first module.
    pub archive: PhysicalRange,
}

/// Where ACPI's root pointer is.
#[derive(Debug)]
pub enum AcpiRoot {
    /// The firmware gave none.
    None,
    /// At this physical address.
    At(u64),
    /// The boot loader gave a copy of it, which needs a place of its own.
    Copy(Vec<u8>),
}

/// Physical memory as the parsers see it. The nucleus reads it through the identity map, tests
/// through a buffer.
pub trait PhysicalMemory {
    /// The bytes of `range`; `None` when they cannot be read.
    fn bytes(&self, start: u64, length: u64) -> Option<&[u8]>;
}
