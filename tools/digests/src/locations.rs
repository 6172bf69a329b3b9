//! Where the object keeps the lines and columns that panics report.

use crate::DigestError;
use crate::elf::{Elf, Target};

/// A `core::panic::Location` in the object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PanicLocation {
    /// Index of the ELF section that it lies in.
    pub section: usize,
    /// Where in the section its line and column stand: two words of 4 bytes.
    pub offset: u64,
}

/// Bytes of a `Location`: the file's name, its length, line and column.
const SIZE: u64 = 24;
/// Where line and column stand in it.
const LINE: u64 = 16;
/// No file's name is longer.
const MAX_FILE_NAME: usize = 4096;

/// The `core::panic::Location`s among the constants of `object`.
///
/// They have no symbols; what tells them is their shape: a pointer to a text that ends in `.rs`, its
/// length, and two more words that are no pointers.
///
/// # Errors
///
/// When the bytes are not an object.
pub fn panic_locations(object: &[u8]) -> Result<Vec<PanicLocation>, DigestError> {
    let elf = Elf::parse(object)?;
    let mut found = Vec::new();
    for (&index, section) in elf.sections.iter().filter(|(_, section)| section.data) {
        let pointers = elf.pointers(index);
        for (&offset, target) in &pointers {
            let alone = pointers.range(offset + 1..offset + SIZE).next().is_none();
            let length = word(section.bytes, offset + 8);
            let inside = word(section.bytes, offset + LINE).is_some();
            if alone && inside && length.is_some_and(|length| is_file(&elf, target, length)) {
                found.push(PanicLocation {
                    section: index,
                    offset: offset + LINE,
                });
            }
        }
    }
    Ok(found)
}

fn is_file(elf: &Elf<'_>, target: &Target<'_>, length: u64) -> bool {
    let Target::Here(place) = target else {
        return false;
    };
    let name = elf.sections.get(&place.section).and_then(|section| {
        let start = usize::try_from(place.offset).ok()?;
        let length = usize::try_from(length)
            .ok()
            .filter(|&length| length <= MAX_FILE_NAME)?;
        section.bytes.get(start..start.checked_add(length)?)
    });
    name.is_some_and(|name| name.ends_with(b".rs") && core::str::from_utf8(name).is_ok())
}

fn word(bytes: &[u8], offset: u64) -> Option<u64> {
    let bytes = bytes.get(usize::try_from(offset).ok()?..)?;
    bytes.first_chunk().map(|word| u64::from_le_bytes(*word))
}
