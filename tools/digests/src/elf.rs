//! The object as sections, symbols and relocations that name what they point to.

use crate::DigestError;
use object::elf::{SHF_ALLOC, SHF_EXECINSTR, SHF_GNU_RETAIN, SHF_STRINGS, SHF_WRITE};
use object::read::elf::{ElfFile64, SectionHeader as _};
use object::{
    LittleEndian, Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget,
    SectionIndex, SymbolKind, SymbolSection,
};
use std::collections::BTreeMap;

/// A place in the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) section: usize,
    pub(crate) offset: u64,
}

impl Place {
    /// How far a section reaches in a [`Place::pack`]ed word: 16 TiB, more than an object has.
    const SHIFT: u32 = 44;

    /// The place as one 64-bit word, to be written where the debug information has an address.
    /// In an unlinked object every section starts at address 0, so an address alone says nothing.
    fn pack(self) -> u64 {
        let section = u64::try_from(self.section).unwrap_or(0).wrapping_add(1);
        (section << Self::SHIFT) | (self.offset & ((1 << Self::SHIFT) - 1))
    }

    /// The place that [`Place::pack`] made `word` of.
    pub(crate) fn unpack(word: u64) -> Option<Self> {
        let section = usize::try_from((word >> Self::SHIFT).checked_sub(1)?).ok()?;
        Some(Self {
            section,
            offset: word & ((1 << Self::SHIFT) - 1),
        })
    }
}

/// What a relocation points to.
pub(crate) enum Target<'d> {
    /// A place in this object.
    Here(Place),
    /// A symbol that another object defines.
    Import(&'d str),
    /// Nothing that could be found.
    Unknown,
}

/// A symbol that this object defines.
#[derive(Clone, Copy)]
pub(crate) struct Symbol<'d> {
    pub(crate) name: &'d str,
    pub(crate) place: Place,
    pub(crate) size: u64,
    pub(crate) global: bool,
    pub(crate) kind: SymbolKind,
}

/// A section with what the analysis wants to know of it.
pub(crate) struct Section<'d> {
    pub(crate) name: &'d str,
    /// Empty for `.bss`.
    pub(crate) bytes: &'d [u8],
    pub(crate) executable: bool,
    /// `.data*` and `.bss*` without `.data.rel.ro*`: what holds state.
    pub(crate) state: bool,
    /// The linker shall not drop it.
    pub(crate) retained: bool,
    /// A pool of strings that end with a 0.
    pub(crate) strings: bool,
    /// Loaded and not executable.
    pub(crate) data: bool,
}

/// The object, with its symbols in the order of their places.
pub(crate) struct Elf<'d> {
    file: ElfFile64<'d, LittleEndian>,
    pub(crate) sections: BTreeMap<usize, Section<'d>>,
    /// Sorted by place.
    pub(crate) symbols: Vec<Symbol<'d>>,
    pub(crate) imports: Vec<&'d str>,
}

impl<'d> Elf<'d> {
    pub(crate) fn parse(bytes: &'d [u8]) -> Result<Self, DigestError> {
        let file = ElfFile64::<LittleEndian>::parse(bytes)?;
        let mut sections = BTreeMap::new();
        for section in file.sections() {
            sections.insert(section.index().0, Section::read(&section)?);
        }
        let mut symbols = Vec::new();
        let mut imports = Vec::new();
        for symbol in file.symbols() {
            let name = symbol.name()?;
            match symbol.section() {
                SymbolSection::Section(SectionIndex(section))
                    if !matches!(symbol.kind(), SymbolKind::Section | SymbolKind::File)
                        && !name.is_empty() =>
                {
                    symbols.push(Symbol {
                        name,
                        place: Place {
                            section,
                            offset: symbol.address(),
                        },
                        size: symbol.size(),
                        global: symbol.is_global(),
                        kind: symbol.kind(),
                    });
                }
                SymbolSection::Undefined if !name.is_empty() => imports.push(name),
                _ => {}
            }
        }
        symbols.sort_by_key(|symbol| symbol.place);
        Ok(Self {
            file,
            sections,
            symbols,
            imports,
        })
    }

    /// The contents of the section with this name, its relocations applied: an address becomes a
    /// packed [`Place`], an offset into another section of debug information that offset.
    pub(crate) fn relocated(&self, name: &str) -> Result<Vec<u8>, DigestError> {
        let Some(section) = self.file.section_by_name(name) else {
            return Ok(Vec::new());
        };
        let mut bytes = section.uncompressed_data()?.into_owned();
        for (offset, relocation) in section.relocations() {
            let Target::Here(place) = self.target(&relocation) else {
                continue;
            };
            let start = usize::try_from(offset).ok();
            let length = usize::from(relocation.size() / 8);
            let value = if length == 8 {
                place.pack()
            } else {
                place.offset
            }
            .to_le_bytes();
            let field = start
                .and_then(|start| bytes.get_mut(start..start.checked_add(length)?))
                .zip(value.get(..length));
            let Some((field, value)) = field else {
                return Err(DigestError::RelocationOutside {
                    section: name.to_owned(),
                    offset,
                });
            };
            field.copy_from_slice(value);
        }
        Ok(bytes)
    }

    /// The 64-bit address words in `section` from `start` to `end`: each with its offset.
    pub(crate) fn pointers(&self, section: usize) -> BTreeMap<u64, Target<'d>> {
        let Ok(section) = self.file.section_by_index(SectionIndex(section)) else {
            return BTreeMap::new();
        };
        section
            .relocations()
            .filter(|(_, relocation)| relocation.size() == 64)
            .map(|(offset, relocation)| (offset, self.target(&relocation)))
            .collect()
    }

    /// The symbol that starts at `place`; a function before anything else.
    pub(crate) fn symbol_at(&self, place: Place) -> Option<&Symbol<'d>> {
        let start = self.symbols.partition_point(|symbol| symbol.place < place);
        let here = self
            .symbols
            .get(start..)?
            .iter()
            .take_while(|symbol| symbol.place == place);
        here.min_by_key(|symbol| symbol.kind != SymbolKind::Text)
    }

    /// The functions: a symbol in an executable section, whatever its type says, but for labels.
    pub(crate) fn functions(&self) -> impl Iterator<Item = &Symbol<'d>> {
        self.symbols.iter().filter(|symbol| {
            let executable = self
                .sections
                .get(&symbol.place.section)
                .is_some_and(|section| section.executable);
            executable && (symbol.kind == SymbolKind::Text || symbol.global)
        })
    }

    /// The symbols in sections that hold state.
    pub(crate) fn state(&self) -> impl Iterator<Item = (&Symbol<'d>, &Section<'d>)> {
        self.symbols.iter().filter_map(|symbol| {
            let section = self.sections.get(&symbol.place.section)?;
            // Made by the compiler to find the personality function: a constant.
            let personality = symbol.name.starts_with("DW.ref.");
            (section.state && !personality).then_some((symbol, section))
        })
    }

    fn target(&self, relocation: &object::Relocation) -> Target<'d> {
        let addend = relocation.addend();
        let RelocationTarget::Symbol(index) = relocation.target() else {
            return Target::Unknown;
        };
        let Ok(symbol) = self.file.symbol_by_index(index) else {
            return Target::Unknown;
        };
        match symbol.section() {
            SymbolSection::Section(SectionIndex(section)) => Target::Here(Place {
                section,
                offset: symbol.address().wrapping_add_signed(addend),
            }),
            SymbolSection::Undefined => symbol.name().map_or(Target::Unknown, Target::Import),
            _ => Target::Unknown,
        }
    }
}

impl<'d> Section<'d> {
    fn read(
        section: &object::read::elf::ElfSection64<'d, '_, LittleEndian>,
    ) -> Result<Self, DigestError> {
        let name = section.name()?;
        let flags = section.elf_section_header().sh_flags(LittleEndian);
        let has = |flag| flags.contains(flag);
        let relro = name.starts_with(".data.rel.ro");
        let state_name = name.starts_with(".data") || name.starts_with(".bss");
        Ok(Self {
            name,
            bytes: section.data()?,
            executable: has(SHF_EXECINSTR),
            state: has(SHF_WRITE) && state_name && !relro,
            retained: has(SHF_GNU_RETAIN),
            strings: has(SHF_STRINGS),
            data: has(SHF_ALLOC) && !has(SHF_EXECINSTR),
        })
    }
}
