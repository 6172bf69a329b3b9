//! Writes an object as an ELF file: header, section contents, tables, section headers.

use crate::abi;
use crate::elf::{Object, Place};

const ET_REL: u16 = 1;
const EM_X86_64: u16 = 62;
const VERSION: u32 = 1;
const STV_DEFAULT: u8 = 0;
const HEADER_SIZE: u16 = 64;
const SECTION_HEADER_SIZE: u16 = 64;
const SYMBOL_SIZE: u64 = 24;
const RELOCATION_SIZE: u64 = 24;

/// Index of an object's first section in the file, after the null section.
const FIRST: usize = 1;

/// Writes `object` and, as one more section that is not loaded, `metadata` with its name.
///
/// The symbols must be sorted, see [`Object::sort_symbols`]; the file's symbol index of
/// `object.symbols[i]` is `i + 1`, because the null symbol comes first.
pub(crate) fn write(object: &Object, metadata: (&str, &[u8])) -> Vec<u8> {
    let mut file = File::default();
    file.header();
    file.push(Header::NULL, b"");
    for section in &object.sections {
        let header = Header {
            name: file.name(&section.name),
            kind: section.kind,
            flags: section.flags,
            align: section.align,
            size: section.size,
            ..Header::NULL
        };
        file.push(header, &section.bytes);
    }
    let name = file.name(metadata.0);
    file.push(
        Header {
            name,
            kind: abi::SHT_PROGBITS,
            align: 8,
            ..Header::NULL
        },
        metadata.1,
    );

    let relocated = object
        .sections
        .iter()
        .filter(|s| !s.relocations.is_empty())
        .count();
    let symbol_table = file.headers.len() + relocated;
    for (index, section) in object.sections.iter().enumerate() {
        if !section.relocations.is_empty() {
            file.relocations(section, index, symbol_table);
        }
    }
    file.symbols(object);
    file.finish()
}

/// Where the line and column words of panic locations stand: 8 bytes at (section, offset), in order.
pub(crate) fn panic_lines(object: &Object) -> Vec<(usize, usize)> {
    // What was written here reads back, so the error does not occur.
    let found = digests::panic_locations(&write(object, (".none", &[]))).unwrap_or_default();
    let place = |location: &digests::PanicLocation| {
        let section = location.section.checked_sub(FIRST)?;
        let offset = usize::try_from(location.offset).ok()?;
        let inside = object.sections.get(section)?.bytes.len() >= offset.checked_add(8)?;
        inside.then_some((section, offset))
    };
    found.iter().filter_map(place).collect()
}

#[derive(Clone, Copy)]
struct Header {
    name: u32,
    kind: u32,
    flags: u64,
    offset: u64,
    size: u64,
    link: u32,
    info: u32,
    align: u64,
    entry_size: u64,
}

impl Header {
    const NULL: Self = Self {
        name: 0,
        kind: abi::SHT_NULL,
        flags: 0,
        offset: 0,
        size: 0,
        link: 0,
        info: 0,
        align: 0,
        entry_size: 0,
    };
}

#[derive(Default)]
struct File {
    bytes: Vec<u8>,
    headers: Vec<Header>,
    names: Vec<u8>,
}

impl File {
    fn header(&mut self) {
        self.bytes.extend_from_slice(b"\x7fELF");
        // 64 bits, little-endian, version 1.
        self.bytes.extend_from_slice(&[2, 1, 1, 0]);
        self.bytes.resize(usize::from(HEADER_SIZE), 0);
        self.names.push(0);
    }

    fn name(&mut self, name: &str) -> u32 {
        let offset = count(self.names.len());
        self.names.extend_from_slice(name.as_bytes());
        self.names.push(0);
        offset
    }

    /// Appends a section; a size that is given already (`SHT_NOBITS`) is kept.
    fn push(&mut self, mut header: Header, bytes: &[u8]) {
        let align = usize::try_from(header.align).unwrap_or(1).max(1);
        let offset = self.bytes.len().next_multiple_of(align);
        self.bytes.resize(offset, 0);
        self.bytes.extend_from_slice(bytes);
        header.offset = if header.kind == abi::SHT_NULL {
            0
        } else {
            offset as u64
        };
        if header.kind != abi::SHT_NOBITS {
            header.size = bytes.len() as u64;
        }
        self.headers.push(header);
    }

    fn relocations(&mut self, section: &crate::elf::Section, index: usize, symbol_table: usize) {
        let mut bytes = Vec::new();
        for relocation in &section.relocations {
            bytes.extend_from_slice(&relocation.offset.to_le_bytes());
            bytes.extend_from_slice(&relocation.kind.to_le_bytes());
            bytes.extend_from_slice(&count(relocation.symbol + FIRST).to_le_bytes());
            bytes.extend_from_slice(&relocation.addend.to_le_bytes());
        }
        let header = Header {
            name: self.name(&format!(".rela{}", section.name)),
            kind: abi::SHT_RELA,
            flags: abi::SHF_INFO_LINK,
            link: count(symbol_table),
            info: count(index + FIRST),
            align: 8,
            entry_size: RELOCATION_SIZE,
            ..Header::NULL
        };
        self.push(header, &bytes);
    }

    fn symbols(&mut self, object: &Object) {
        let mut table = vec![0; 24];
        let mut strings = vec![0];
        for symbol in &object.symbols {
            let name = if symbol.name.is_empty() {
                0
            } else {
                count(strings.len())
            };
            if !symbol.name.is_empty() {
                strings.extend_from_slice(symbol.name.as_bytes());
                strings.push(0);
            }
            let section = match symbol.place {
                Place::Undefined => abi::SHN_UNDEF,
                Place::Absolute => abi::SHN_ABS,
                Place::Section(index) => u16::try_from(index + FIRST).unwrap_or(abi::SHN_XINDEX),
            };
            table.extend_from_slice(&name.to_le_bytes());
            table.extend_from_slice(&[symbol.binding << 4 | symbol.kind, STV_DEFAULT]);
            table.extend_from_slice(&section.to_le_bytes());
            table.extend_from_slice(&symbol.value.to_le_bytes());
            table.extend_from_slice(&symbol.size.to_le_bytes());
        }
        let locals = object
            .symbols
            .iter()
            .take_while(|s| s.binding == abi::STB_LOCAL)
            .count();
        let header = Header {
            name: self.name(".symtab"),
            kind: abi::SHT_SYMTAB,
            link: count(self.headers.len() + 1),
            info: count(locals + FIRST),
            align: 8,
            entry_size: SYMBOL_SIZE,
            ..Header::NULL
        };
        self.push(header, &table);
        let name = self.name(".strtab");
        self.push(
            Header {
                name,
                kind: abi::SHT_STRTAB,
                align: 1,
                ..Header::NULL
            },
            &strings,
        );
    }

    fn finish(mut self) -> Vec<u8> {
        let name = self.name(".shstrtab");
        let names = core::mem::take(&mut self.names);
        self.push(
            Header {
                name,
                kind: abi::SHT_STRTAB,
                align: 1,
                ..Header::NULL
            },
            &names,
        );
        let table = self.bytes.len().next_multiple_of(8);
        self.bytes.resize(table, 0);
        for header in &self.headers {
            self.bytes.extend_from_slice(&header.name.to_le_bytes());
            self.bytes.extend_from_slice(&header.kind.to_le_bytes());
            for word in [header.flags, 0, header.offset, header.size] {
                self.bytes.extend_from_slice(&word.to_le_bytes());
            }
            self.bytes.extend_from_slice(&header.link.to_le_bytes());
            self.bytes.extend_from_slice(&header.info.to_le_bytes());
            self.bytes.extend_from_slice(&header.align.to_le_bytes());
            self.bytes
                .extend_from_slice(&header.entry_size.to_le_bytes());
        }
        let sections = self.headers.len();
        let mut set = |offset: usize, bytes: &[u8]| {
            self.bytes[offset..offset + bytes.len()].copy_from_slice(bytes);
        };
        set(16, &ET_REL.to_le_bytes());
        set(18, &EM_X86_64.to_le_bytes());
        set(20, &VERSION.to_le_bytes());
        set(40, &(table as u64).to_le_bytes());
        set(52, &HEADER_SIZE.to_le_bytes());
        set(58, &SECTION_HEADER_SIZE.to_le_bytes());
        set(60, &u16::try_from(sections).unwrap_or(0).to_le_bytes());
        set(62, &u16::try_from(sections - 1).unwrap_or(0).to_le_bytes());
        self.bytes
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "an object has far less than 4 GiB"
)]
fn count(number: usize) -> u32 {
    number as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::{Relocation, Section, Symbol};

    fn sample() -> Object {
        let text = Section {
            name: ".text".into(),
            kind: abi::SHT_PROGBITS,
            flags: abi::SHF_ALLOC | abi::SHF_EXECINSTR,
            align: 16,
            size: 5,
            bytes: vec![0xe8, 0, 0, 0, 0],
            relocations: vec![Relocation {
                offset: 1,
                kind: abi::sample::R_X86_64_PLT32,
                symbol: 1,
                addend: -4,
            }],
        };
        let symbol = |name: &str, place| Symbol {
            name: name.into(),
            value: 0,
            size: 0,
            binding: abi::sample::STB_GLOBAL,
            kind: abi::sample::STT_NOTYPE,
            place,
        };
        Object {
            sections: vec![text],
            symbols: vec![
                symbol("here", Place::Section(0)),
                symbol("there", Place::Undefined),
            ],
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let object = sample();
        let bytes = write(&object, (".strake", b"metadata"));
        let again = Object::read("sample", &bytes).unwrap();
        assert_eq!(again.sections.len(), 1);
        assert_eq!(again.sections[0].bytes, object.sections[0].bytes);
        assert_eq!(
            again.sections[0].relocations,
            object.sections[0].relocations
        );
        assert_eq!(again.symbols[1].name, "there");
        assert_eq!(again.symbols[1].place, Place::Undefined);
    }

    #[test]
    fn the_metadata_is_a_section_of_its_own() {
        use object::{Object as _, ObjectSection as _};
        let bytes = write(&sample(), (".strake", b"metadata"));
        let file = object::File::parse(&*bytes).unwrap();
        assert_eq!(
            file.section_by_name(".strake").unwrap().data().unwrap(),
            b"metadata"
        );
    }
}
