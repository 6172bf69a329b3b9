//! A light view of an object's symbols, for naming addresses: unlike [`Object`](crate::Object), it
//! looks at no relocation and copies nothing but the places of the text sections.

use crate::{
    elf::{self, ElfError, ElfFile},
    format::metadata::{self, Metadata},
};
use alloc::vec::Vec;
use goblin::elf64::{
    section_header::{SHF_ALLOC, SHF_EXECINSTR, SHT_NOTE, SHT_SYMTAB},
    sym::{SIZEOF_SYM, STT_FILE, STT_SECTION, st_type},
};

/// The symbols of an object.
pub struct Symbols<'a> {
    table: &'a [u8],
    strings: &'a [u8],
    metadata: &'a [u8],
    kinds: Vec<Home>,
}

/// What a section is to a symbol.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Home {
    /// Text, at this offset in the text image.
    Text(u64),
    /// Loaded, but not text.
    Data,
    /// Not loaded.
    Nowhere,
}

/// A symbol with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamedSymbol<'a> {
    /// ELF index.
    pub index: usize,
    /// ELF name.
    pub name: &'a str,
    /// For a function, its offset in the text image.
    pub text_offset: Option<u64>,
    /// Its size in bytes.
    pub size: u64,
}

impl<'a> Symbols<'a> {
    /// Looks for the symbol table in `bytes`; an object without one has no symbols.
    ///
    /// # Errors
    ///
    /// When the bytes are not an ELF file.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ElfError> {
        let file = ElfFile::parse(bytes)?;
        let names = file
            .section(usize::from(file.names_index))
            .and_then(|header| file.contents(&header))
            .unwrap_or_default();
        let mut symbols = Self {
            table: &[],
            strings: &[],
            metadata: &[],
            kinds: Vec::new(),
        };
        let mut text = 0_u64;
        for index in 0..file.section_count() {
            let Some(header) = file.section(index) else {
                continue;
            };
            let contents = file.contents(&header).unwrap_or_default();
            if header.sh_type == SHT_SYMTAB {
                symbols.table = contents;
                symbols.strings = usize::try_from(header.sh_link)
                    .ok()
                    .and_then(|link| file.contents(&file.section(link)?))
                    .unwrap_or_default();
            } else if elf::string(names, header.sh_name) == Some(metadata::SECTION) {
                symbols.metadata = contents;
            }
            let has = |flag: u32| header.sh_flags & u64::from(flag) != 0;
            symbols
                .kinds
                .push(if !has(SHF_ALLOC) || header.sh_type == SHT_NOTE {
                    Home::Nowhere
                } else if has(SHF_EXECINSTR) {
                    // As `Object::layout` places text.
                    let align = header.sh_addralign.clamp(1, handover::layout::PAGE_SIZE);
                    let offset = text.checked_next_multiple_of(align).unwrap_or(u64::MAX);
                    text = offset.saturating_add(header.sh_size);
                    Home::Text(offset)
                } else {
                    Home::Data
                });
        }
        Ok(symbols)
    }

    /// The object's metadata, if it has any.
    #[must_use]
    pub fn metadata(&self) -> Option<Metadata<'a>> {
        Metadata::parse(self.metadata).ok()
    }

    /// The named symbols that are defined here, in the order of the table.
    pub fn iter(&self) -> impl Iterator<Item = NamedSymbol<'a>> + '_ {
        (0..self.table.len() / SIZEOF_SYM).filter_map(|index| self.get(index))
    }

    /// The function that covers `text_offset`, or else the last one that begins before it.
    #[must_use]
    pub fn function_at(&self, text_offset: u64) -> Option<NamedSymbol<'a>> {
        self.iter()
            .filter_map(|symbol| Some((symbol.text_offset?, symbol)))
            .filter(|(start, _)| *start <= text_offset)
            .max_by_key(|(start, symbol)| (*start, symbol.size))
            .map(|(_, symbol)| symbol)
    }

    fn get(&self, index: usize) -> Option<NamedSymbol<'a>> {
        let symbol = elf::symbol(self.table, index)?;
        if matches!(st_type(symbol.st_info), STT_SECTION | STT_FILE) {
            return None;
        }
        let text_offset = match self.kinds.get(usize::from(symbol.st_shndx))? {
            _ if symbol.st_shndx == 0 => return None,
            Home::Nowhere => return None,
            Home::Data => None,
            Home::Text(offset) => Some(offset.saturating_add(symbol.st_value)),
        };
        let name = elf::string(self.strings, symbol.st_name).filter(|name| !name.is_empty())?;
        Some(NamedSymbol {
            index,
            name,
            text_offset,
            size: symbol.st_size,
        })
    }
}
