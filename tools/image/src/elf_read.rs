//! Reads an object from an ELF file: its loaded sections, their symbols and relocations.

use crate::{
    abi,
    elf::{Object, Place, Relocation, Section, Symbol},
    error::{Error, Result},
};
use object::{
    LittleEndian, elf,
    read::{
        SymbolIndex,
        elf::{
            FileHeader as _, Rela as _, SectionHeader as _, SectionTable, Sym as _, SymbolTable,
        },
    },
};
use std::collections::BTreeMap;

type Header = elf::FileHeader64<LittleEndian>;

const ENDIAN: LittleEndian = LittleEndian;

/// Reads the loaded parts of `bytes`, the object of `component`.
///
/// # Errors
///
/// When the bytes are not a relocatable object, or a loaded section refers to a dropped one.
pub(crate) fn read(component: &str, bytes: &[u8]) -> Result<Object> {
    let parsed = parse(bytes).map_err(|error| Error::object(component, error))?;
    let Some((sections, symbols)) = parsed else {
        return Err(Error::object(component, "is not relocatable"));
    };
    let mut reader = Reader {
        bytes,
        sections,
        symbols,
        object: Object::default(),
        section_of: BTreeMap::new(),
        symbol_of: BTreeMap::new(),
    };
    reader
        .read_sections()
        .map_err(|error| Error::object(component, error))?;
    reader
        .read_symbols()
        .map_err(|error| Error::object(component, error))?;
    reader
        .read_relocations()
        .map_err(|error| Error::object(component, error))?
        .map_or_else(
            || Ok(reader.object),
            |(section, symbol)| {
                let message = format!("{section} refers to symbol {symbol} of a dropped section");
                Err(Error::object(component, message))
            },
        )
}

type Tables<'a> = (SectionTable<'a, Header>, SymbolTable<'a, Header>);

fn parse(bytes: &[u8]) -> object::Result<Option<Tables<'_>>> {
    let header = Header::parse(bytes)?;
    if header.e_type(ENDIAN) != elf::ET_REL {
        return Ok(None);
    }
    let sections = header.sections(ENDIAN, bytes)?;
    let symbols = sections.symbols(ENDIAN, bytes, elf::SHT_SYMTAB)?;
    Ok(Some((sections, symbols)))
}

struct Reader<'a> {
    bytes: &'a [u8],
    sections: SectionTable<'a, Header>,
    symbols: SymbolTable<'a, Header>,
    object: Object,
    /// Index in the object of each section of the file that is kept.
    section_of: BTreeMap<usize, usize>,
    /// The same for symbols.
    symbol_of: BTreeMap<usize, usize>,
}

impl Reader<'_> {
    fn read_sections(&mut self) -> object::Result<()> {
        for (index, raw) in self.sections.enumerate() {
            let flags = raw.sh_flags(ENDIAN).0;
            if flags & abi::SHF_ALLOC == 0 {
                continue;
            }
            let name = self.sections.section_name(ENDIAN, raw)?;
            self.section_of.insert(index.0, self.object.sections.len());
            self.object.sections.push(Section {
                name: String::from_utf8_lossy(name).into_owned(),
                kind: raw.sh_type(ENDIAN).0,
                flags,
                align: raw.sh_addralign(ENDIAN).max(1),
                size: raw.sh_size(ENDIAN),
                bytes: raw.data(ENDIAN, self.bytes)?.to_vec(),
                relocations: Vec::new(),
            });
        }
        Ok(())
    }

    fn read_symbols(&mut self) -> object::Result<()> {
        for (index, raw) in self.symbols.enumerate() {
            let kind = raw.st_type().0;
            if index.0 == 0 || kind == abi::STT_FILE {
                continue;
            }
            let Some(place) = self.place(index, raw)? else {
                continue;
            };
            // A section's symbol has a name in some files and none in others.
            let name = match kind {
                abi::STT_SECTION => "".into(),
                _ => String::from_utf8_lossy(self.symbols.symbol_name(ENDIAN, raw)?),
            };
            self.symbol_of.insert(index.0, self.object.symbols.len());
            self.object.symbols.push(Symbol {
                name: name.into_owned(),
                value: raw.st_value(ENDIAN),
                size: raw.st_size(ENDIAN),
                binding: raw.st_bind().0,
                kind,
                place,
            });
        }
        Ok(())
    }

    /// Where a symbol is defined; `None` when that is a section that is not kept.
    fn place(
        &self,
        index: SymbolIndex,
        raw: &elf::Sym64<LittleEndian>,
    ) -> object::Result<Option<Place>> {
        Ok(match raw.st_shndx(ENDIAN).0 {
            abi::SHN_UNDEF => Some(Place::Undefined),
            abi::SHN_ABS => Some(Place::Absolute),
            _ => {
                let section = self.symbols.symbol_section(ENDIAN, raw, index)?;
                let kept = section.and_then(|section| self.section_of.get(&section.0));
                kept.copied().map(Place::Section)
            }
        })
    }

    /// Reads the relocations of kept sections; the section and the symbol's number when one is
    /// against a symbol that is not kept.
    fn read_relocations(&mut self) -> object::Result<Option<(String, usize)>> {
        for raw in self.sections.iter() {
            let Some(&target) = self.section_of.get(&(raw.sh_info(ENDIAN) as usize)) else {
                continue;
            };
            let Some((relocations, _)) = raw.rela(ENDIAN, self.bytes)? else {
                continue;
            };
            let section = &mut self.object.sections[target];
            for raw in relocations {
                let number = raw.r_sym(ENDIAN, false) as usize;
                let Some(&symbol) = self.symbol_of.get(&number) else {
                    return Ok(Some((section.name.clone(), number)));
                };
                section.relocations.push(Relocation {
                    offset: raw.r_offset(ENDIAN),
                    kind: raw.r_type(ENDIAN, false).0,
                    symbol,
                    addend: raw.r_addend(ENDIAN),
                });
            }
            section
                .relocations
                .sort_by_key(|relocation| relocation.offset);
        }
        Ok(None)
    }
}
