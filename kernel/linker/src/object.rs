//! Objects: a checked view of an ELF relocatable file with its metadata.
//!
//! [`Object::parse`] looks at everything once, so that layout and linking meet only sections,
//! symbols and relocations that exist, lie inside the file and have a known type.

use crate::{
    elf::{self, ElfFile},
    error::{ObjectError, RelocationProblem, SymbolProblem},
    format::metadata::{self, Class, Metadata},
    key::{FunctionKey, Key},
    relocation::{Kind, meaning, relaxation},
    tables::Tables,
};
use alloc::{string::ToString, vec::Vec};
use core::ops::Range;
use goblin::elf64::{
    reloc::{Rela, SIZEOF_RELA, r_sym, r_type},
    section_header::{SHN_ABS, SHN_LORESERVE, SHN_UNDEF},
    sym::{SIZEOF_SYM, STB_LOCAL, STB_WEAK, STT_SECTION, Sym, st_bind, st_type},
};

/// What a section becomes when it is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SectionKind {
    /// Code.
    Text,
    /// Constants, vtables, jump tables.
    Rodata,
    /// `.eh_frame`: how to unwind.
    UnwindFrames,
    /// `.gcc_except_table`: landing pads.
    LandingPads,
    /// The storage of a mutable static.
    Static,
    /// Not loaded.
    Unloaded,
}

/// A section.
#[derive(Clone, Copy)]
pub struct Section<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it becomes.
    pub kind: SectionKind,
    /// Its size in memory in bytes.
    pub size: u64,
    /// Its alignment, a power of two.
    pub align: u64,
    /// Its contents; empty when it is all zeros or not loaded.
    pub data: &'a [u8],
    pub(crate) relocations: &'a [u8],
}

impl Section<'_> {
    /// How many relocations it has.
    pub(crate) const fn relocation_count(&self) -> usize {
        self.relocations.len() / SIZEOF_RELA
    }

    /// The relocations of the section, in the order of the file.
    pub(crate) fn relocations(&self) -> impl Iterator<Item = Rela> + '_ {
        (0..self.relocation_count()).map_while(|index| elf::relocation(self.relocations, index))
    }
}

/// An index into an object's symbols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SymbolIndex(pub u32);

/// How a symbol takes part in linking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// Seen by its own object only.
    Local,
    /// Seen by all.
    Global,
    /// Seen by all; gives way to another definition.
    Weak,
}

/// A symbol.
#[derive(Clone, Copy, Debug)]
pub struct Symbol {
    /// Its key.
    pub key: Key,
    /// Of a function defined here, the digest of its shape; else 0.
    pub digest: u64,
    /// What it is.
    pub class: Class,
    /// How it takes part in linking.
    pub binding: Binding,
    /// Index of its section, if it is defined here and not absolute.
    pub section: Option<usize>,
    /// Its offset in the section (or its value, if absolute).
    pub value: u64,
    /// Its size in bytes; 0 when the compiler did not say.
    pub size: u64,
    name: u32,
    is_section: bool,
}

impl Symbol {
    /// The function that it is, to its stub.
    #[must_use]
    pub const fn function(&self) -> FunctionKey {
        FunctionKey {
            key: self.key,
            digest: self.digest,
        }
    }

    /// Whether other objects can be bound to it.
    #[must_use]
    pub fn is_exported(&self) -> bool {
        self.section.is_some()
            && self.binding != Binding::Local
            && !self.key.is_none()
            && matches!(
                self.class,
                Class::Function | Class::Static | Class::Constant
            )
    }

    /// Whether it stands for a whole section.
    #[must_use]
    pub const fn is_section(&self) -> bool {
        self.is_section
    }

    /// Whether another object has to define it.
    #[must_use]
    pub fn is_import(&self) -> bool {
        matches!(self.class, Class::Import | Class::WeakImport)
    }
}

/// A checked object.
pub struct Object<'a> {
    /// The contents of its `.strake` section.
    pub metadata: Metadata<'a>,
    /// Where in its bytes the section lies.
    pub metadata_place: Range<usize>,
    sections: Vec<Section<'a>>,
    symbols: Vec<Symbol>,
    strings: &'a [u8],
    got: Vec<SymbolIndex>,
    relocation_count: usize,
}

impl<'a> Object<'a> {
    /// Checks `bytes`. With `toolchain`, refuses the object of another one.
    ///
    /// # Errors
    ///
    /// When the bytes are cut off or corrupt, the object asks for something that this linker does
    /// not do, or another toolchain built it. The error names section, symbol or offset.
    pub fn parse(bytes: &'a [u8], toolchain: Option<u128>) -> Result<Self, ObjectError> {
        let file = ElfFile::parse(bytes).map_err(ObjectError::Elf)?;
        let tables = Tables::read(&file)?;
        let metadata = Metadata::parse(tables.metadata).map_err(ObjectError::Metadata)?;
        check_toolchain(&metadata, toolchain)?;
        let mut object = Self {
            metadata,
            metadata_place: tables.metadata_place,
            sections: tables.sections,
            symbols: Vec::new(),
            strings: tables.strings,
            got: Vec::new(),
            relocation_count: 0,
        };
        object.read_symbols(tables.symbols)?;
        object.check_relocations()?;
        Ok(object)
    }

    /// The crate's name.
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.metadata.name
    }

    /// The sections, by ELF index.
    #[must_use]
    pub fn sections(&self) -> &[Section<'a>] {
        &self.sections
    }

    /// The symbols, by ELF index.
    #[must_use]
    pub fn symbols(&self) -> &[Symbol] {
        &self.symbols
    }

    /// The symbol with this index.
    #[must_use]
    pub fn symbol(&self, index: SymbolIndex) -> Option<&Symbol> {
        self.symbols.get(usize::try_from(index.0).ok()?)
    }

    /// The ELF name of a symbol; of a section's symbol, the section's name.
    #[must_use]
    pub fn symbol_name(&self, symbol: &Symbol) -> &'a str {
        if symbol.is_section
            && let Some(section) = symbol.section.and_then(|index| self.sections.get(index))
        {
            return section.name;
        }
        elf::string(self.strings, symbol.name).unwrap_or("")
    }

    /// Number of relocations of loaded sections.
    #[must_use]
    pub const fn relocation_count(&self) -> usize {
        self.relocation_count
    }

    /// The keys of the symbols that other objects have to define, and whether each is weak.
    pub fn imports(&self) -> impl Iterator<Item = &Symbol> {
        self.symbols.iter().filter(|symbol| symbol.is_import())
    }

    /// The symbols that other objects can be bound to.
    pub fn exports(&self) -> impl Iterator<Item = &Symbol> {
        self.symbols.iter().filter(|symbol| symbol.is_exported())
    }

    /// Symbols whose address is loaded from a GOT word by an instruction that cannot be relaxed, in
    /// the order of the words.
    pub(crate) fn got(&self) -> &[SymbolIndex] {
        &self.got
    }

    fn read_symbols(&mut self, table: &[u8]) -> Result<(), ObjectError> {
        let count = table.len() / SIZEOF_SYM;
        if self.metadata.symbols.len() != count {
            let metadata = self.metadata.symbols.len();
            let problem = SymbolProblem::Count {
                metadata,
                table: count,
            };
            return Err(ObjectError::Symbol {
                index: count,
                name: "".to_string(),
                problem,
            });
        }
        self.symbols.reserve_exact(count);
        for (index, known) in self.metadata.symbols.iter().enumerate() {
            let Some(raw) = elf::symbol(table, index) else {
                break;
            };
            let symbol = self
                .read_symbol(&raw, known)
                .map_err(|problem| ObjectError::Symbol {
                    index,
                    name: elf::string(self.strings, raw.st_name)
                        .unwrap_or("?")
                        .to_string(),
                    problem,
                })?;
            self.symbols.push(symbol);
        }
        Ok(())
    }

    fn read_symbol(&self, raw: &Sym, known: metadata::Symbol) -> Result<Symbol, SymbolProblem> {
        let class = Class::from_number(known.class).ok_or(SymbolProblem::Class(known.class))?;
        if !starts_string(self.strings, raw.st_name) {
            return Err(SymbolProblem::Name);
        }
        let section = self.symbol_section(raw)?;
        let kind = section
            .and_then(|index| self.sections.get(index))
            .map(|section| section.kind);
        let fits = match class {
            Class::Other => true,
            Class::Function => kind == Some(SectionKind::Text),
            Class::Static | Class::Constant => kind.is_some_and(|kind| kind != SectionKind::Text),
            Class::Import | Class::WeakImport => u32::from(raw.st_shndx) == SHN_UNDEF,
        };
        if !fits {
            return Err(SymbolProblem::Class(known.class));
        }
        // Where data lies decides whether it is state: `.data.rel.ro` comes anew with each version.
        let class = match (class, kind) {
            (Class::Constant, Some(SectionKind::Static)) => Class::Static,
            (Class::Static, Some(kind)) if kind != SectionKind::Static => Class::Constant,
            _ => class,
        };
        Ok(Symbol {
            key: Key(known.key),
            digest: known.digest,
            class,
            binding: match st_bind(raw.st_info) {
                STB_LOCAL => Binding::Local,
                STB_WEAK => Binding::Weak,
                _ => Binding::Global,
            },
            section,
            value: raw.st_value,
            size: raw.st_size,
            name: raw.st_name,
            is_section: st_type(raw.st_info) == STT_SECTION,
        })
    }

    /// The section of a symbol that is defined here; checks that the symbol lies inside.
    fn symbol_section(&self, raw: &Sym) -> Result<Option<usize>, SymbolProblem> {
        let number = u32::from(raw.st_shndx);
        if number == SHN_UNDEF || number == SHN_ABS {
            return Ok(None);
        }
        let index = usize::from(raw.st_shndx);
        let section = self
            .sections
            .get(index)
            .filter(|_| number < SHN_LORESERVE)
            .ok_or(SymbolProblem::Section(raw.st_shndx))?;
        let inside = raw
            .st_value
            .checked_add(raw.st_size)
            .is_some_and(|end| end <= section.size);
        if section.kind != SectionKind::Unloaded && !inside {
            return Err(SymbolProblem::Outside {
                value: raw.st_value,
                size: raw.st_size,
            });
        }
        Ok(Some(index))
    }

    /// Looks at each relocation once, and finds the GOT words that are needed.
    fn check_relocations(&mut self) -> Result<(), ObjectError> {
        let mut got = Vec::new();
        for section in &self.sections {
            for relocation in section.relocations() {
                let offset = relocation.r_offset;
                let needs_got = self
                    .check_relocation(section, &relocation)
                    .map_err(|problem| ObjectError::Relocation {
                        section: section.name.to_string(),
                        offset,
                        problem,
                    })?;
                if needs_got {
                    got.push(SymbolIndex(r_sym(relocation.r_info)));
                }
                self.relocation_count += 1;
            }
        }
        got.sort_unstable();
        got.dedup();
        self.got = got;
        Ok(())
    }

    /// Whether the relocation, which is sound, needs a GOT word.
    fn check_relocation(
        &self,
        section: &Section<'_>,
        relocation: &Rela,
    ) -> Result<bool, RelocationProblem> {
        let raw = r_type(relocation.r_info);
        let meaning = meaning(raw).ok_or(RelocationProblem::Type(raw))?;
        let index = r_sym(relocation.r_info);
        self.symbol(SymbolIndex(index))
            .ok_or(RelocationProblem::Symbol(index))?;
        let start = usize::try_from(relocation.r_offset).map_err(|_| RelocationProblem::Outside)?;
        let end = start
            .checked_add(meaning.size)
            .ok_or(RelocationProblem::Outside)?;
        if end as u64 > section.size {
            return Err(RelocationProblem::Outside);
        }
        if section.data.is_empty() && end > start {
            return Err(RelocationProblem::NoBits);
        }
        Ok(meaning.kind == Kind::Got
            && (section.kind != SectionKind::Text
                || relaxation(section.data, start, relocation.r_addend).is_none()))
    }
}

fn check_toolchain(metadata: &Metadata<'_>, wanted: Option<u128>) -> Result<(), ObjectError> {
    let found = metadata.header.toolchain;
    match wanted {
        Some(expected) if expected != found => Err(ObjectError::Toolchain {
            object: metadata.name.to_string(),
            found,
            expected,
        }),
        _ => Ok(()),
    }
}

/// Whether a string can begin at `offset`: inside the table, and not after a byte of UTF-8. The end
/// and the encoding are looked at when the name is wanted.
fn starts_string(table: &[u8], offset: u32) -> bool {
    usize::try_from(offset).is_ok_and(|offset| offset < table.len()) && table.last() == Some(&0)
}
