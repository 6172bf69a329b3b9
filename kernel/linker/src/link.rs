//! Linking one object: copy its sections into images, then apply its relocations.
//!
//! The *place* of a relocation decides what a function's address is. A branch inside the object
//! goes straight to the code; everything else that refers to a function, from text or data or a
//! table of pointers, gets the function's stub. Jump tables (`.rodata`, relative), unwind tables and
//! landing pads point to code inside functions and are never stubbed.

use crate::{
    error::LinkError,
    format::metadata::Class,
    key::{FunctionKey, Key},
    layout::{GOT_WORD, Layout},
    object::{Object, Section, SectionKind, Symbol, SymbolIndex},
    placement::{Placement, StaticPlace},
    relocation::{ApplyError, Kind, Meaning, Relaxation, apply, meaning, relax, relaxation},
};
use alloc::{string::ToString, vec, vec::Vec};
use goblin::elf64::reloc::{R_X86_64_64, Rela, r_sym, r_type};

/// The memory that [`link`] fills. Each image is as long as the layout says; fresh images are zero.
pub struct Images<'i> {
    /// The text image.
    pub text: &'i mut [u8],
    /// The rodata image.
    pub rodata: &'i mut [u8],
    /// The data image, for the statics that are new.
    pub data: &'i mut [u8],
}

/// Answers what an object does not know itself.
pub trait Resolver {
    /// The stub of the function that the object being linked defines at `code`, made on demand.
    /// `None` when there is no room for another stub.
    fn own_stub(&mut self, function: FunctionKey, code: u64) -> Option<u64>;

    /// The address that an import is bound to: a function's stub, a static's storage, a constant.
    fn import(&mut self, key: Key) -> Import;
}

/// What an import is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Import {
    /// This address.
    Address(u64),
    /// Nobody defines it.
    Missing,
    /// It is a function, and there is no room for its stub.
    NoStub,
}

/// Copies the object's sections into `images` and applies its relocations.
///
/// # Errors
///
/// When an import is missing, a value does not fit in its place, or images and placement are not
/// what the layout asks for. The images then hold nothing of use.
pub fn link(
    object: &Object<'_>,
    layout: &Layout<'_>,
    placement: &Placement,
    images: &mut Images<'_>,
    resolver: &mut dyn Resolver,
) -> Result<(), LinkError> {
    check_placement(object, layout, placement, images)?;
    let symbols = vec![Bound::default(); object.symbols().len()];
    let mut linker = Linker {
        object,
        layout,
        placement,
        resolver,
        symbols,
    };
    linker.write_got(images)?;
    for (index, section) in object.sections().iter().enumerate() {
        linker.link_section(index, section, images)?;
    }
    Ok(())
}

fn check_placement(
    object: &Object<'_>,
    layout: &Layout<'_>,
    placement: &Placement,
    images: &Images<'_>,
) -> Result<(), LinkError> {
    let problem = |what| {
        Err(LinkError::Placement {
            object: object.name().to_string(),
            what,
        })
    };
    if (images.text.len() as u64) < layout.text.size {
        return problem("text image");
    }
    if (images.rodata.len() as u64) < layout.rodata.size {
        return problem("rodata image");
    }
    if placement.statics.len() != layout.statics.len() {
        return problem("list of statics");
    }
    Ok(())
}

/// What a symbol is bound to, as far as it has been asked. No address here is ever 0.
#[derive(Clone, Copy, Default)]
struct Bound {
    /// Where it is: of an import of a function, its stub.
    direct: Option<u64>,
    /// What others may know: of a function its stub.
    public: Option<u64>,
}

struct Linker<'l, 'a> {
    object: &'l Object<'a>,
    layout: &'l Layout<'a>,
    placement: &'l Placement,
    resolver: &'l mut dyn Resolver,
    symbols: Vec<Bound>,
}

/// A section while it is being relocated.
struct Place<'s> {
    name: &'s str,
    kind: SectionKind,
    address: u64,
}

impl<'a> Linker<'_, 'a> {
    fn link_section(
        &mut self,
        index: usize,
        section: &Section<'a>,
        images: &mut Images<'_>,
    ) -> Result<(), LinkError> {
        let Some(address) = self.placement.section(self.object, self.layout, index) else {
            return Ok(());
        };
        let Some(memory) = self.memory(index, section, images)? else {
            return Ok(());
        };
        let (data, zeros) = memory.split_at_mut(section.data.len().min(memory.len()));
        data.copy_from_slice(section.data.get(..data.len()).unwrap_or_default());
        zeros.fill(0);
        let place = Place {
            name: section.name,
            kind: section.kind,
            address,
        };
        for relocation in section.relocations() {
            self.relocate(&place, memory, &relocation)?;
        }
        Ok(())
    }

    /// The section's part of its image; `None` when its storage is kept.
    fn memory<'i>(
        &self,
        index: usize,
        section: &Section<'_>,
        images: &'i mut Images<'_>,
    ) -> Result<Option<&'i mut [u8]>, LinkError> {
        let place = self.layout.section(index).unwrap_or_default();
        let (image, offset, what) = match section.kind {
            SectionKind::Text => (&mut *images.text, place, "text image"),
            SectionKind::Static => {
                let entry = usize::try_from(place)
                    .ok()
                    .and_then(|index| self.placement.statics.get(index));
                match entry {
                    Some(StaticPlace::New { offset, .. }) => {
                        (&mut *images.data, *offset, "data image")
                    }
                    _ => return Ok(None),
                }
            }
            _ => (&mut *images.rodata, place, "rodata image"),
        };
        let problem = LinkError::Placement {
            object: self.object.name().to_string(),
            what,
        };
        usize::try_from(offset)
            .ok()
            .zip(usize::try_from(section.size).ok())
            .and_then(|(start, size)| image.get_mut(start..start.checked_add(size)?))
            .map(Some)
            .ok_or(problem)
    }

    fn relocate(
        &mut self,
        place: &Place<'_>,
        memory: &mut [u8],
        relocation: &Rela,
    ) -> Result<(), LinkError> {
        let raw = r_type(relocation.r_info);
        // Parsing has refused unknown types and symbols that do not exist.
        let Some(meaning) = meaning(raw) else {
            return Ok(());
        };
        let symbol = SymbolIndex(r_sym(relocation.r_info));
        let address = place.address.wrapping_add(relocation.r_offset);
        let addend = relocation.r_addend.cast_unsigned();
        let value = match meaning.kind {
            Kind::None => return Ok(()),
            Kind::Absolute => self
                .pointed_to(place, symbol, relocation)?
                .wrapping_add(addend),
            Kind::Relative
                if place.kind == SectionKind::Text || place.kind == SectionKind::Static =>
            {
                self.public(symbol)?
                    .wrapping_add(addend)
                    .wrapping_sub(address)
            }
            Kind::Relative | Kind::Branch => self
                .direct(symbol)?
                .wrapping_add(addend)
                .wrapping_sub(address),
            Kind::Got => {
                let target = self.through_got(place, memory, symbol, relocation)?;
                target.wrapping_add(addend).wrapping_sub(address)
            }
        };
        apply(memory, relocation.r_offset, meaning, value)
            .map_err(|problem| self.failed(place.name, relocation, problem))
    }

    /// What a word with the absolute address of a symbol holds.
    fn pointed_to(
        &mut self,
        place: &Place<'_>,
        symbol: SymbolIndex,
        relocation: &Rela,
    ) -> Result<u64, LinkError> {
        if matches!(
            place.kind,
            SectionKind::UnwindFrames | SectionKind::LandingPads
        ) {
            return self.direct(symbol);
        }
        self.entry(place, symbol, relocation, 0)
    }

    /// The public address of a symbol, of a function only if the relocation means its entry.
    fn entry(
        &mut self,
        place: &Place<'_>,
        symbol: SymbolIndex,
        relocation: &Rela,
        addend: i64,
    ) -> Result<u64, LinkError> {
        let is_function = self
            .object
            .symbol(symbol)
            .is_some_and(|symbol| symbol.class == Class::Function);
        if is_function && relocation.r_addend != addend {
            return Err(LinkError::IntoFunction {
                object: self.object.name().to_string(),
                section: place.name.to_string(),
                offset: relocation.r_offset,
                symbol: self.name(symbol),
                addend: relocation.r_addend.wrapping_sub(addend),
            });
        }
        self.public(symbol)
    }

    /// The address that an instruction with a GOT operand reaches, after the instruction has been
    /// relaxed; the GOT word's address when it cannot be.
    fn through_got(
        &mut self,
        place: &Place<'_>,
        memory: &mut [u8],
        symbol: SymbolIndex,
        relocation: &Rela,
    ) -> Result<u64, LinkError> {
        let relaxed = usize::try_from(relocation.r_offset)
            .ok()
            .filter(|_| place.kind == SectionKind::Text)
            .and_then(|offset| Some((offset, relaxation(memory, offset, relocation.r_addend)?)));
        let Some((offset, relaxed)) = relaxed else {
            return Ok(self.got_word(symbol));
        };
        relax(memory, offset, relaxed);
        match relaxed {
            Relaxation::Load => self.public(symbol),
            Relaxation::Call | Relaxation::Jump => self.direct(symbol),
        }
    }

    /// The address of a symbol's GOT word. Parsing has found all symbols that need one.
    fn got_word(&self, symbol: SymbolIndex) -> u64 {
        let index = self
            .object
            .got()
            .binary_search(&symbol)
            .unwrap_or_else(|index| index);
        let offset = self.layout.got.offset + index as u64 * GOT_WORD;
        self.placement.rodata.wrapping_add(offset)
    }

    fn write_got(&mut self, images: &mut Images<'_>) -> Result<(), LinkError> {
        for (index, symbol) in self.object.got().iter().enumerate() {
            let value = self.public(*symbol)?;
            let offset = self.layout.got.offset + index as u64 * GOT_WORD;
            if let Some(meaning) = meaning(R_X86_64_64) {
                write_word(self.object, images.rodata, offset, meaning, value)?;
            }
        }
        Ok(())
    }

    /// Where a symbol is: of an own function the code, of an import what it is bound to.
    fn direct(&mut self, index: SymbolIndex) -> Result<u64, LinkError> {
        if let Some(address) = self.bound(index).direct {
            return Ok(address);
        }
        let Some(symbol) = self.object.symbol(index).copied() else {
            return Ok(0);
        };
        let address = match symbol.class {
            Class::Import | Class::WeakImport => self.import(&symbol)?,
            _ => self
                .placement
                .symbol(self.object, self.layout, &symbol)
                // A symbol without section is absolute: its value is its address.
                .unwrap_or(symbol.value),
        };
        self.remember(index, |bound| bound.direct = Some(address));
        Ok(address)
    }

    /// The address by which a symbol is known outside branches: of a function its stub.
    fn public(&mut self, index: SymbolIndex) -> Result<u64, LinkError> {
        if let Some(address) = self.bound(index).public {
            return Ok(address);
        }
        let mut address = self.direct(index)?;
        if let Some(symbol) = self
            .object
            .symbol(index)
            .filter(|it| it.class == Class::Function)
        {
            if symbol.key.is_none() {
                let object = self.object.name().to_string();
                return Err(LinkError::NoKey {
                    object,
                    symbol: self.name(index),
                });
            }
            address = self
                .resolver
                .own_stub(symbol.function(), address)
                .ok_or_else(|| {
                    let object = self.object.name().to_string();
                    LinkError::NoStub {
                        object,
                        symbol: self.name(index),
                    }
                })?;
        }
        self.remember(index, |bound| bound.public = Some(address));
        Ok(address)
    }

    fn import(&mut self, symbol: &Symbol) -> Result<u64, LinkError> {
        let name = || {
            (
                self.object.name().to_string(),
                self.object.symbol_name(symbol).to_string(),
            )
        };
        match self.resolver.import(symbol.key) {
            Import::Address(address) => Ok(address),
            Import::Missing if symbol.class == Class::WeakImport => Ok(0),
            Import::Missing => {
                let (object, symbol) = name();
                Err(LinkError::Missing { object, symbol })
            }
            Import::NoStub => {
                let (object, symbol) = name();
                Err(LinkError::NoStub { object, symbol })
            }
        }
    }

    fn bound(&self, index: SymbolIndex) -> Bound {
        self.symbols
            .get(index.0 as usize)
            .copied()
            .unwrap_or_default()
    }

    fn remember(&mut self, index: SymbolIndex, set: impl FnOnce(&mut Bound)) {
        if let Some(bound) = self.symbols.get_mut(index.0 as usize) {
            set(bound);
        }
    }

    fn name(&self, index: SymbolIndex) -> alloc::string::String {
        self.object
            .symbol(index)
            .map_or("?", |it| self.object.symbol_name(it))
            .to_string()
    }

    fn failed(&self, section: &str, relocation: &Rela, problem: ApplyError) -> LinkError {
        LinkError::Relocation {
            object: self.object.name().to_string(),
            section: section.to_string(),
            offset: relocation.r_offset,
            symbol: self.name(SymbolIndex(r_sym(relocation.r_info))),
            problem,
        }
    }
}

fn write_word(
    object: &Object<'_>,
    image: &mut [u8],
    offset: u64,
    meaning: Meaning,
    value: u64,
) -> Result<(), LinkError> {
    apply(image, offset, meaning, value).map_err(|problem| LinkError::Relocation {
        object: object.name().to_string(),
        section: "GOT".to_string(),
        offset,
        symbol: "GOT word".to_string(),
        problem,
    })
}
