//! A relocatable object in memory: read, changed, written.
//!
//! Only what is loaded is read (sections with `SHF_ALLOC`, the symbols in them, imports, their
//! relocations); everything else of the file is dropped by reading it.

use crate::{
    abi,
    error::{Error, Result},
};
use object::{
    LittleEndian, elf,
    read::elf::{FileHeader as _, Rela as _, SectionHeader as _, Sym as _},
};
use std::collections::BTreeMap;

/// A relocatable object.
#[derive(Clone, Debug, Default)]
pub struct Object {
    /// Its sections, without the null section.
    pub sections: Vec<Section>,
    /// Its symbols, without the null symbol.
    pub symbols: Vec<Symbol>,
}

/// A section.
#[derive(Clone, Debug, Default)]
pub struct Section {
    /// Its name.
    pub name: String,
    /// `sh_type`.
    pub kind: u32,
    /// `sh_flags`.
    pub flags: u64,
    /// `sh_addralign`.
    pub align: u64,
    /// `sh_size`.
    pub size: u64,
    /// Its bytes; none when `kind` is `SHT_NOBITS`.
    pub bytes: Vec<u8>,
    /// Its relocations, by offset.
    pub relocations: Vec<Relocation>,
}

/// A symbol.
#[derive(Clone, Debug)]
pub struct Symbol {
    /// Its name; empty for a section's symbol.
    pub name: String,
    /// `st_value`: offset in its section.
    pub value: u64,
    /// `st_size`.
    pub size: u64,
    /// `STB_…`.
    pub binding: u8,
    /// `STT_…`.
    pub kind: u8,
    /// Where it is defined.
    pub place: Place,
}

/// Where a symbol is defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In another object.
    Undefined,
    /// Nowhere: it is a number.
    Absolute,
    /// In the section with this index in [`Object::sections`].
    Section(usize),
}

/// A relocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relocation {
    /// Offset of the place in its section.
    pub offset: u64,
    /// `R_X86_64_…`.
    pub kind: u32,
    /// Index in [`Object::symbols`].
    pub symbol: usize,
    /// The addend.
    pub addend: i64,
}

impl Section {
    /// Whether it is executed.
    pub fn is_text(&self) -> bool {
        self.flags & abi::SHF_EXECINSTR != 0
    }

    /// Whether it is the storage of a mutable static.
    pub fn is_state(&self) -> bool {
        self.name.starts_with(".data") || self.name.starts_with(".bss")
    }
}

impl Symbol {
    /// Whether other objects see it.
    pub fn is_exported(&self) -> bool {
        self.binding != abi::STB_LOCAL && self.place != Place::Undefined
    }

    /// Whether it stands for a section.
    pub fn is_section(&self) -> bool {
        self.kind == abi::STT_SECTION
    }
}

impl Object {
    /// Reads the loaded parts of `bytes`, the object of `component`.
    ///
    /// # Errors
    ///
    /// When the bytes are not a relocatable object, or a loaded section refers to a dropped one.
    pub fn read(component: &str, bytes: &[u8]) -> Result<Self> {
        Reader { component, bytes }.read()
    }

    /// The section with this name.
    pub fn section(&self, name: &str) -> Option<usize> {
        self.sections
            .iter()
            .position(|section| section.name == name)
    }

    /// The section that `symbol` lies in.
    pub fn section_of(&self, symbol: &Symbol) -> Option<&Section> {
        match symbol.place {
            Place::Section(index) => self.sections.get(index),
            _ => None,
        }
    }

    /// Puts local symbols before the others, as ELF demands, and forgets those that say nothing.
    pub fn sort_symbols(&mut self) {
        let mut used = vec![false; self.symbols.len()];
        for relocation in self
            .sections
            .iter()
            .flat_map(|section| &section.relocations)
        {
            if let Some(used) = used.get_mut(relocation.symbol) {
                *used = true;
            }
        }
        let mut order: Vec<usize> = (0..self.symbols.len())
            .filter(|&index| used[index] || self.symbols[index].says_something())
            .collect();
        order.sort_by_key(|&index| {
            let symbol = &self.symbols[index];
            (symbol.binding != abi::STB_LOCAL, !symbol.is_section())
        });
        let mut moved = vec![usize::MAX; self.symbols.len()];
        for (new, &old) in order.iter().enumerate() {
            moved[old] = new;
        }
        for relocation in self
            .sections
            .iter_mut()
            .flat_map(|section| &mut section.relocations)
        {
            relocation.symbol = moved[relocation.symbol];
        }
        self.symbols = order
            .into_iter()
            .map(|index| self.symbols[index].clone())
            .collect();
    }
}

impl Symbol {
    fn says_something(&self) -> bool {
        let name = &self.name;
        !(self.is_section() || name.starts_with(".L") || name.starts_with("GCC_except_table"))
            && self.place != Place::Undefined
    }
}

type Header = elf::FileHeader64<LittleEndian>;

struct Reader<'a> {
    component: &'a str,
    bytes: &'a [u8],
}

impl Reader<'_> {
    fn error(&self, message: impl std::fmt::Display) -> Error {
        Error::object(self.component, message)
    }

    fn read(&self) -> Result<Object> {
        const ENDIAN: LittleEndian = LittleEndian;
        let header = Header::parse(self.bytes).map_err(|error| self.error(error))?;
        if header.e_type(ENDIAN) != elf::ET_REL {
            return Err(self.error("is not relocatable"));
        }
        let sections = header
            .sections(ENDIAN, self.bytes)
            .map_err(|error| self.error(error))?;
        let symbols = sections
            .symbols(ENDIAN, self.bytes, elf::SHT_SYMTAB)
            .map_err(|error| self.error(error))?;

        let mut object = Object::default();
        let mut kept = BTreeMap::new();
        for (index, raw) in sections.enumerate() {
            let flags = raw.sh_flags(ENDIAN).0;
            if flags & abi::SHF_ALLOC == 0 {
                continue;
            }
            let name = sections
                .section_name(ENDIAN, raw)
                .map_err(|error| self.error(error))?;
            let bytes = raw
                .data(ENDIAN, self.bytes)
                .map_err(|error| self.error(error))?;
            kept.insert(index.0, object.sections.len());
            object.sections.push(Section {
                name: String::from_utf8_lossy(name).into_owned(),
                kind: raw.sh_type(ENDIAN).0,
                flags,
                align: raw.sh_addralign(ENDIAN).max(1),
                size: raw.sh_size(ENDIAN),
                bytes: bytes.to_vec(),
                relocations: Vec::new(),
            });
        }
        let mut moved = BTreeMap::new();
        for (index, raw) in symbols.enumerate() {
            let name = symbols
                .symbol_name(ENDIAN, raw)
                .map_err(|error| self.error(error))?;
            let name = String::from_utf8_lossy(name).into_owned();
            let place = match raw.st_shndx(ENDIAN).0 {
                abi::SHN_UNDEF => Place::Undefined,
                abi::SHN_ABS => Place::Absolute,
                _ => {
                    let section = symbols
                        .symbol_section(ENDIAN, raw, index)
                        .map_err(|error| self.error(error))?;
                    match section.and_then(|section| kept.get(&section.0)) {
                        Some(&section) => Place::Section(section),
                        None => continue,
                    }
                }
            };
            if index.0 == 0 || raw.st_type().0 == abi::STT_FILE {
                continue;
            }
            moved.insert(index.0, object.symbols.len());
            object.symbols.push(Symbol {
                name: if raw.st_type().0 == abi::STT_SECTION {
                    String::new()
                } else {
                    name
                },
                value: raw.st_value(ENDIAN),
                size: raw.st_size(ENDIAN),
                binding: raw.st_bind().0,
                kind: raw.st_type().0,
                place,
            });
        }
        for raw in sections.iter() {
            let Some(&target) = kept.get(&(raw.sh_info(ENDIAN) as usize)) else {
                continue;
            };
            let relocations = raw
                .rela(ENDIAN, self.bytes)
                .map_err(|error| self.error(error))?;
            let Some((relocations, _)) = relocations else {
                continue;
            };
            for raw in relocations {
                let old = raw.r_sym(ENDIAN, false) as usize;
                let symbol = *moved.get(&old).ok_or_else(|| {
                    let section = &object.sections[target].name;
                    self.error(format!(
                        "{section} refers to symbol {old} of a dropped section"
                    ))
                })?;
                object.sections[target].relocations.push(Relocation {
                    offset: raw.r_offset(ENDIAN),
                    kind: raw.r_type(ENDIAN, false).0,
                    symbol,
                    addend: raw.r_addend(ENDIAN),
                });
            }
        }
        for section in &mut object.sections {
            section
                .relocations
                .sort_by_key(|relocation| relocation.offset);
        }
        Ok(object)
    }
}
