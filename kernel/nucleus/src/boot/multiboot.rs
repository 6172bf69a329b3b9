//! The multiboot2 boot information, read by the crate `multiboot2`, which checks the list of tags
//! before anything else is looked at.

use super::{AcpiRoot, BootInformation};
use crate::memory_map::{RawRegion, kind_of};
use alloc::{borrow::ToOwned, string::String, vec::Vec};
use core::fmt;
use handover::{BootProtocol, PhysicalRange};
use multiboot2::{BootInformation as Tags, BootInformationHeader, LoadError, TagType};

/// What is wrong with the boot information.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MultibootError {
    /// It is no list of tags.
    Load(LoadError),
    /// There is no memory map.
    NoMemoryMap,
    /// There is no module.
    NoModule,
}

impl fmt::Display for MultibootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Load(error) => write!(f, "multiboot2 information is broken: {error}"),
            Self::NoMemoryMap => f.write_str("the boot loader passed no memory map"),
            Self::NoModule => f.write_str("the boot loader passed no archive (GRUB: module2)"),
        }
    }
}

impl core::error::Error for MultibootError {}

/// Reads the boot information at the physical `address`.
///
/// # Errors
///
/// When it is no list of tags, or the memory map or the module is missing.
///
/// # Safety
///
/// `address` must be what a multiboot2 loader left in `ebx`, in identity-mapped memory.
pub unsafe fn parse(address: u64) -> Result<BootInformation, MultibootError> {
    let pointer = address as *const BootInformationHeader;
    // SAFETY: the caller's duty; nothing writes there until all has been copied out.
    let tags = unsafe { Tags::load(pointer) }.map_err(MultibootError::Load)?;
    let uefi = tags.efi_sdt64_tag().is_some() || tags.efi_sdt32_tag().is_some();
    Ok(BootInformation {
        protocol: if uefi {
            BootProtocol::Multiboot2Uefi
        } else {
            BootProtocol::Multiboot2Bios
        },
        command_line: command_line(&tags),
        memory: memory_map(&tags)?,
        acpi: acpi_root(&tags),
        archive: first_module(&tags)?,
    })
}

fn command_line(tags: &Tags<'_>) -> String {
    let line = tags.command_line_tag().and_then(|tag| tag.cmdline().ok());
    line.unwrap_or_default().to_owned()
}

fn memory_map(tags: &Tags<'_>) -> Result<Vec<RawRegion>, MultibootError> {
    let map = tags.memory_map_tag().ok_or(MultibootError::NoMemoryMap)?;
    let areas = map.memory_areas().iter().map(|area| RawRegion {
        start: area.start_address(),
        length: area.size(),
        kind: kind_of(area.typ().val()),
    });
    Ok(areas.collect())
}

/// The newer of the two tags wins: it has the 64-bit table.
fn acpi_root(tags: &Tags<'_>) -> AcpiRoot {
    let find = |kind| tags.tags().find(move |tag| tag.header().typ == kind);
    let tag = find(TagType::AcpiV2).or_else(|| find(TagType::AcpiV1));
    tag.map_or(AcpiRoot::None, |tag| AcpiRoot::Copy(tag.payload().to_vec()))
}

fn first_module(tags: &Tags<'_>) -> Result<PhysicalRange, MultibootError> {
    let module = tags.module_tags().next().ok_or(MultibootError::NoModule)?;
    let (start, end) = (module.start_address().into(), module.end_address().into());
    Ok(PhysicalRange { start, end })
}

#[cfg(test)]
mod tests;
