//! A relocatable object in memory: read, changed, written.
//!
//! Only what is loaded is read (sections with `SHF_ALLOC`, the symbols in them, imports, their
//! relocations); everything else of the file is dropped by reading it.

use crate::{abi, elf_read, error::Result};

/// A relocatable object.
#[derive(Clone, Debug, Default)]
pub(crate) struct Object {
    /// Its sections, without the null section.
    pub sections: Vec<Section>,
    /// Its symbols, without the null symbol.
    pub symbols: Vec<Symbol>,
}

/// A section.
#[derive(Clone, Debug, Default)]
pub(crate) struct Section {
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
pub(crate) struct Symbol {
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
pub(crate) enum Place {
    /// In another object.
    Undefined,
    /// Nowhere: it is a number.
    Absolute,
    /// In the section with this index in [`Object::sections`].
    Section(usize),
}

/// A relocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Relocation {
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
    pub(crate) fn is_text(&self) -> bool {
        self.flags & abi::SHF_EXECINSTR != 0
    }

    /// Whether it is the storage of a mutable static.
    pub(crate) fn is_state(&self) -> bool {
        self.name.starts_with(".data") || self.name.starts_with(".bss")
    }
}

impl Symbol {
    /// Whether other objects see it.
    pub(crate) fn is_exported(&self) -> bool {
        self.binding != abi::STB_LOCAL && self.place != Place::Undefined
    }

    /// Whether it stands for a section.
    pub(crate) fn is_section(&self) -> bool {
        self.kind == abi::STT_SECTION
    }
}

impl Object {
    /// Reads the loaded parts of `bytes`, the object of `component`.
    ///
    /// # Errors
    ///
    /// When the bytes are not a relocatable object, or a loaded section refers to a dropped one.
    pub(crate) fn read(component: &str, bytes: &[u8]) -> Result<Self> {
        elf_read::read(component, bytes)
    }

    /// The section with this name.
    pub(crate) fn section(&self, name: &str) -> Option<usize> {
        self.sections
            .iter()
            .position(|section| section.name == name)
    }

    /// The section that `symbol` lies in.
    pub(crate) fn section_of(&self, symbol: &Symbol) -> Option<&Section> {
        match symbol.place {
            Place::Section(index) => self.sections.get(index),
            _ => None,
        }
    }

    /// Puts local symbols before the others, as ELF demands, and forgets those that say nothing.
    pub(crate) fn sort_symbols(&mut self) {
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
