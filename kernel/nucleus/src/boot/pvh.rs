//! The PVH start information (Xen's `public/arch-x86/hvm/start_info.h`, version 1).

use super::{AcpiRoot, BootInformation, PhysicalMemory};
use crate::memory_map::{RawRegion, kind_of};
use alloc::{string::String, vec::Vec};
use core::fmt;
use handover::{BootProtocol, PhysicalRange};

/// First word of the structure: "xEn3" with the top bit of the "E" set.
const MAGIC: u32 = 0x336E_C578;
/// Length of the structure from version 1 on, the first with a memory map.
const LENGTH: u64 = 56;
/// Length of a module's entry.
const MODULE_LENGTH: u64 = 32;
/// Length of an entry of the memory map.
const MEMORY_LENGTH: u64 = 24;
/// Entries of the memory map that are read at most; real machines have some dozens.
const MEMORY_ENTRIES_MAX: u32 = 1024;
/// Longest command line that is read.
const COMMAND_LINE_MAX: u64 = 4096;

/// What is wrong with the start information.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PvhError {
    /// A structure lies where memory cannot be read.
    Outside {
        /// Which structure.
        what: &'static str,
        /// Its physical address.
        address: u64,
    },
    /// The first word is wrong.
    Magic(u32),
    /// The version has no memory map.
    Version(u32),
    /// The memory map has too many entries.
    MemoryMap(u32),
    /// There is no module.
    NoModule,
}

impl fmt::Display for PvhError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outside { what, address } => {
                write!(f, "PVH {what} at {address:#x} lies outside readable memory")
            }
            Self::Magic(found) => write!(f, "PVH start information begins with {found:#x}"),
            Self::Version(found) => {
                write!(
                    f,
                    "PVH start information has version {found}, which has no memory map"
                )
            }
            Self::MemoryMap(count) => write!(f, "PVH memory map claims {count} entries"),
            Self::NoModule => f.write_str("the boot loader passed no archive (QEMU: -initrd)"),
        }
    }
}

impl core::error::Error for PvhError {}

/// Reads the start information at `address` and everything it refers to.
///
/// # Errors
///
/// When a structure lies outside `memory`, is of another version, or there is no module.
pub fn parse(memory: &impl PhysicalMemory, address: u64) -> Result<BootInformation, PvhError> {
    let start = structure(memory, "start information", address, LENGTH)?;
    let magic = start.u32(0);
    if magic != MAGIC {
        return Err(PvhError::Magic(magic));
    }
    let version = start.u32(4);
    if version < 1 {
        return Err(PvhError::Version(version));
    }
    let root = start.u64(32);
    Ok(BootInformation {
        protocol: BootProtocol::Pvh,
        command_line: command_line(memory, start.u64(24))?,
        memory: memory_map(memory, start.u64(40), start.u32(48))?,
        acpi: if root == 0 {
            AcpiRoot::None
        } else {
            AcpiRoot::At(root)
        },
        archive: first_module(memory, start.u64(16), start.u32(12))?,
    })
}

fn first_module(
    memory: &impl PhysicalMemory,
    address: u64,
    count: u32,
) -> Result<PhysicalRange, PvhError> {
    if count == 0 {
        return Err(PvhError::NoModule);
    }
    let module = structure(memory, "module list", address, MODULE_LENGTH)?;
    let (start, length) = (module.u64(0), module.u64(8));
    structure(memory, "module", start, length)?;
    Ok(PhysicalRange {
        start,
        end: start.saturating_add(length),
    })
}

fn memory_map(
    memory: &impl PhysicalMemory,
    address: u64,
    count: u32,
) -> Result<Vec<RawRegion>, PvhError> {
    if count > MEMORY_ENTRIES_MAX {
        return Err(PvhError::MemoryMap(count));
    }
    let mut regions = Vec::new();
    for index in 0..u64::from(count) {
        let address = address.saturating_add(index * MEMORY_LENGTH);
        let entry = structure(memory, "memory map", address, MEMORY_LENGTH)?;
        let (start, length) = (entry.u64(0), entry.u64(8));
        regions.push(RawRegion {
            start,
            length,
            kind: kind_of(entry.u32(16)),
        });
    }
    Ok(regions)
}

/// The command line up to its zero byte. It may end anywhere in readable memory.
fn command_line(memory: &impl PhysicalMemory, address: u64) -> Result<String, PvhError> {
    let mut bytes = Vec::new();
    if address == 0 {
        return Ok(String::new());
    }
    for offset in 0..COMMAND_LINE_MAX {
        let byte = structure(memory, "command line", address.saturating_add(offset), 1)?;
        match byte.0.first() {
            None | Some(0) => break,
            Some(byte) => bytes.push(*byte),
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Bytes of a structure that are known to be there.
struct Structure<'a>(&'a [u8]);

impl Structure<'_> {
    /// The little-endian number at `offset`; offsets beyond the structure read as 0.
    fn u64(&self, offset: usize) -> u64 {
        let bytes = self.0.get(offset..).and_then(|rest| rest.first_chunk());
        bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }

    /// The little-endian number at `offset`; offsets beyond the structure read as 0.
    fn u32(&self, offset: usize) -> u32 {
        let bytes = self.0.get(offset..).and_then(|rest| rest.first_chunk());
        bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
    }
}

fn structure<'a>(
    memory: &'a impl PhysicalMemory,
    what: &'static str,
    address: u64,
    length: u64,
) -> Result<Structure<'a>, PvhError> {
    memory
        .bytes(address, length)
        .map(Structure)
        .ok_or(PvhError::Outside { what, address })
}

#[cfg(test)]
mod tests;
