//! The two ids of an object: of everything that is loaded, and of everything but lines.

use crate::{
    elf::{Object, Place},
    toolchain::truncate,
};
use linker::format::metadata::{Item, Symbol};

/// The exact and the content id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    /// Of loaded sections, relocations by name, digests, toolchain and flags.
    pub exact: u128,
    /// The same with the lines and columns of panic locations taken as 0.
    pub content: u128,
}

/// What an object's ids are made of.
pub(crate) struct Subject<'a> {
    /// The object.
    pub object: &'a Object,
    /// Key and class of each of its symbols.
    pub symbols: &'a [Symbol],
    /// Its digests.
    pub items: &'a [Item],
    /// Name and version of its crate.
    pub label: &'a str,
    /// The toolchain's id.
    pub toolchain: u128,
    /// The metadata's flags.
    pub flags: u32,
    /// Where the line and column words of panic locations stand: section and offset, in order.
    pub lines: &'a [(usize, usize)],
}

impl Subject<'_> {
    /// Computes both ids.
    pub(crate) fn ids(&self) -> Ids {
        Ids {
            exact: self.hash(&[]),
            content: self.hash(self.lines),
        }
    }

    fn hash(&self, zeroed: &[(usize, usize)]) -> u128 {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.toolchain.to_le_bytes());
        hasher.update(&self.flags.to_le_bytes());
        text(&mut hasher, self.label);
        for (index, section) in self.object.sections.iter().enumerate() {
            text(&mut hasher, &section.name);
            for number in [section.size, section.align, section.bytes.len() as u64] {
                hasher.update(&number.to_le_bytes());
            }
            let mut from = 0;
            for &(_, place) in zeroed.iter().filter(|(section, _)| *section == index) {
                hasher.update(&section.bytes[from..place]);
                hasher.update(&[0; 8]);
                from = place + 8;
            }
            hasher.update(&section.bytes[from..]);
            for relocation in &section.relocations {
                hasher.update(&relocation.offset.to_le_bytes());
                hasher.update(&relocation.kind.to_le_bytes());
                hasher.update(&relocation.addend.to_le_bytes());
                self.target(&mut hasher, relocation.symbol);
            }
            self.definitions(&mut hasher, index);
        }
        for item in self.items {
            hasher.update(&item.kind.to_le_bytes());
            hasher.update(&item.key.to_le_bytes());
            hasher.update(&item.digest.to_le_bytes());
        }
        truncate(&hasher)
    }

    /// A relocation's target by name; what has no name by its place.
    fn target(&self, hasher: &mut blake3::Hasher, index: usize) {
        let symbol = &self.object.symbols[index];
        match self
            .symbols
            .get(index)
            .map(|symbol| symbol.key)
            .filter(|&key| key != 0)
        {
            Some(key) => hasher.update(&key.to_le_bytes()),
            None => {
                let place = match symbol.place {
                    Place::Section(index) => self.object.sections[index].name.as_str(),
                    Place::Undefined | Place::Absolute => symbol.name.as_str(),
                };
                text(hasher, place);
                hasher.update(&symbol.value.to_le_bytes())
            }
        };
    }

    /// The named symbols of a section: an exported name that is new makes a new object.
    fn definitions(&self, hasher: &mut blake3::Hasher, section: usize) {
        let symbols = self.object.symbols.iter().zip(self.symbols);
        let mut defined: Vec<_> = symbols
            .filter(|(symbol, named)| symbol.place == Place::Section(section) && named.key != 0)
            .map(|(symbol, named)| (named.key, symbol.value, symbol.size, symbol.binding))
            .collect();
        defined.sort_unstable();
        for (key, value, size, binding) in defined {
            for number in [key, value, size, u64::from(binding)] {
                hasher.update(&number.to_le_bytes());
            }
        }
    }
}

fn text(hasher: &mut blake3::Hasher, text: &str) {
    hasher.update(text.as_bytes());
    hasher.update(b"\0");
}
