//! Whether an exported constant is the same in two builds.
//!
//! A component that stays keeps the address of the old build's constant, and so its value. That is
//! right only if the new build's is the same: the same bytes, and the same things pointed to.

use crate::{
    format::metadata::Class,
    key::Key,
    object::{Object, Section, Symbol, SymbolIndex},
};
use goblin::elf64::reloc::{Rela, r_sym, r_type};

/// Whether both objects define the constant `key`, and with the same value. Of an unnamed thing that
/// it points to, as much is compared as the following word says if it is a length, as in a string.
#[must_use]
pub fn same_constant(old: &Object<'_>, new: &Object<'_>, key: Key) -> bool {
    match (View::of(old, key), View::of(new, key)) {
        (Some(old), Some(new)) => old.is_same(&new).unwrap_or(false),
        _ => false,
    }
}

/// A constant in its object.
struct View<'o, 'a> {
    object: &'o Object<'a>,
    section: &'o Section<'a>,
    start: u64,
    size: u64,
}

impl<'o, 'a> View<'o, 'a> {
    fn of(object: &'o Object<'a>, key: Key) -> Option<Self> {
        let wanted = |symbol: &&Symbol| symbol.key == key && symbol.class == Class::Constant;
        let symbol = object.symbols().iter().find(wanted)?;
        let section = object.sections().get(symbol.section?)?;
        Some(Self {
            object,
            section,
            start: symbol.value,
            size: symbol.size,
        })
    }

    fn is_same(&self, other: &Self) -> Option<bool> {
        let (mine, theirs) = (
            bytes(self.section, self.start, self.size)?,
            bytes(other.section, other.start, other.size)?,
        );
        if self.size != other.size || mine != theirs {
            return Some(false);
        }
        let mut ours = self.pointers();
        let mut others = other.pointers();
        loop {
            match (ours.next(), others.next()) {
                (None, None) => return Some(true),
                (Some(a), Some(b)) if self.same_pointer(&a, other, &b)? => {}
                _ => return Some(false),
            }
        }
    }

    /// The relocations inside the constant.
    fn pointers(&self) -> impl Iterator<Item = Rela> + '_ {
        let end = self.start.saturating_add(self.size);
        self.section
            .relocations()
            .filter(move |it| self.start <= it.r_offset && it.r_offset < end)
    }

    fn same_pointer(&self, mine: &Rela, other: &Self, theirs: &Rela) -> Option<bool> {
        let place = mine.r_offset - self.start;
        if r_type(mine.r_info) != r_type(theirs.r_info) || place != theirs.r_offset - other.start {
            return Some(false);
        }
        let a = self.object.symbol(SymbolIndex(r_sym(mine.r_info)))?;
        let b = other.object.symbol(SymbolIndex(r_sym(theirs.r_info)))?;
        if !a.key.is_none() || !b.key.is_none() {
            return Some(a.key == b.key && mine.r_addend == theirs.r_addend);
        }
        let length = bytes(self.section, mine.r_offset.checked_add(8)?, 8)
            .and_then(|word| word.first_chunk())
            .map_or(8, |word| u64::from_le_bytes(*word));
        Some(target(self.object, a, mine, length)? == target(other.object, b, theirs, length)?)
    }
}

/// `length` bytes of what an unnamed pointer points to.
fn target<'a>(
    object: &Object<'a>,
    symbol: &Symbol,
    pointer: &Rela,
    length: u64,
) -> Option<&'a [u8]> {
    let section = object.sections().get(symbol.section?)?;
    bytes(
        section,
        symbol.value.checked_add_signed(pointer.r_addend)?,
        length,
    )
}

fn bytes<'a>(section: &Section<'a>, start: u64, length: u64) -> Option<&'a [u8]> {
    let start = usize::try_from(start).ok()?;
    section
        .data
        .get(start..start.checked_add(usize::try_from(length).ok()?)?)
}
