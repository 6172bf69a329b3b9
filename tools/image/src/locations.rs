//! Panic locations: constants of file, line and column that a shifted line changes and nothing else.

use crate::abi;
use crate::elf::{Object, Place};

/// Size of `core::panic::Location`: pointer and length of the file's name, line, column.
const SIZE: usize = 24;
const LENGTH: usize = 8;
const LINE: usize = 16;
const COLUMN: usize = 20;

/// Largest line and column that a source file is taken to have.
const LARGEST: u32 = 1 << 20;

/// Offsets in `.rodata` of the line and column words of panic locations, 8 bytes each.
///
/// There is no symbol that names them, so they are known by their shape: a pointer to a string that
/// ends in `.rs` in the same section, its length, two small numbers other than 0, and no other
/// relocation inside.
pub fn line_words(object: &Object) -> Vec<usize> {
    let Some(index) = object.section(".rodata") else {
        return Vec::new();
    };
    let section = &object.sections[index];
    let mut found = Vec::new();
    for (position, relocation) in section.relocations.iter().enumerate() {
        let symbol = &object.symbols[relocation.symbol];
        if relocation.kind != abi::R_X86_64_64 || symbol.place != Place::Section(index) {
            continue;
        }
        let next = section
            .relocations
            .get(position + 1)
            .map(|next| next.offset);
        if next.is_some_and(|next| next < relocation.offset + SIZE as u64) {
            continue;
        }
        let name = symbol.value.checked_add_signed(relocation.addend);
        let place = usize::try_from(relocation.offset).ok();
        let name = name.and_then(|name| usize::try_from(name).ok());
        if let Some((place, name)) = place.zip(name)
            && is_location(&section.bytes, place, name)
        {
            found.push(place + LINE);
        }
    }
    found
}

fn is_location(bytes: &[u8], place: usize, name: usize) -> bool {
    let number = |offset: usize| -> Option<u32> {
        Some(u32::from_le_bytes(
            *bytes.get(place + offset..)?.first_chunk()?,
        ))
    };
    let small = |offset| number(offset).is_some_and(|n| n != 0 && n < LARGEST);
    let file =
        number(LENGTH).and_then(|length| bytes.get(name..name.checked_add(length as usize)?));
    small(LINE)
        && small(COLUMN)
        && number(LENGTH + 4) == Some(0)
        && file.is_some_and(|file| file.strip_suffix(b"\0").unwrap_or(file).ends_with(b".rs"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::{Relocation, Section, Symbol};

    fn object(file: &[u8], line: u32) -> Object {
        let mut bytes = vec![0; SIZE];
        bytes[LENGTH] = u8::try_from(file.len()).unwrap_or(0);
        bytes[LINE..COLUMN].copy_from_slice(&line.to_le_bytes());
        bytes[COLUMN] = 5;
        bytes.extend_from_slice(file);
        let relocation = Relocation {
            offset: 0,
            kind: abi::R_X86_64_64,
            symbol: 0,
            addend: SIZE as i64,
        };
        let section = Section {
            name: ".rodata".into(),
            size: bytes.len() as u64,
            bytes,
            relocations: vec![relocation],
            ..Section::default()
        };
        let symbol = Symbol {
            name: String::new(),
            value: 0,
            size: 0,
            binding: abi::STB_LOCAL,
            kind: abi::STT_SECTION,
            place: Place::Section(0),
        };
        Object {
            sections: vec![section],
            symbols: vec![symbol],
        }
    }

    #[test]
    fn a_location_is_known_by_its_shape() {
        assert_eq!(line_words(&object(b"src/lib.rs", 7)), [LINE]);
    }

    #[test]
    fn other_constants_are_not_locations() {
        assert!(line_words(&object(b"a message!", 7)).is_empty());
        assert!(line_words(&object(b"src/lib.rs", 0)).is_empty());
    }
}
