//! Where an object's images and statics will be mapped.

use crate::{
    layout::Layout,
    object::{Object, SectionKind, Symbol},
};
use alloc::vec::Vec;

/// Where an object's images will be mapped.
#[derive(Clone, Debug)]
pub struct Placement {
    /// Address of the text image.
    pub text: u64,
    /// Address of the rodata image.
    pub rodata: u64,
    /// Where each static of [`Layout::statics`] lives.
    pub statics: Vec<StaticPlace>,
}

/// Where a static lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StaticPlace {
    /// In storage that exists already: its value is left alone.
    Kept {
        /// Its address.
        address: u64,
    },
    /// In the data image, to be given its initial value.
    New {
        /// Its address.
        address: u64,
        /// Its offset in the data image.
        offset: u64,
    },
}

impl StaticPlace {
    /// The static's address.
    #[must_use]
    pub const fn address(self) -> u64 {
        match self {
            Self::Kept { address } | Self::New { address, .. } => address,
        }
    }
}

impl Placement {
    /// A first load: every static is new, in one data image at `data`.
    #[must_use]
    pub fn fresh(layout: &Layout<'_>, text: u64, rodata: u64, data: u64) -> Self {
        let place = |offset| StaticPlace::New {
            address: data.wrapping_add(offset),
            offset,
        };
        let statics = layout
            .statics
            .iter()
            .map(|entry| place(entry.offset))
            .collect();
        Self {
            text,
            rodata,
            statics,
        }
    }

    /// The address of a section.
    #[must_use]
    pub fn section(&self, object: &Object<'_>, layout: &Layout<'_>, index: usize) -> Option<u64> {
        let place = layout.section(index)?;
        match object.sections().get(index)?.kind {
            SectionKind::Text => Some(self.text.wrapping_add(place)),
            SectionKind::Static => Some(self.statics.get(usize::try_from(place).ok()?)?.address()),
            SectionKind::Rodata | SectionKind::UnwindFrames | SectionKind::LandingPads => {
                Some(self.rodata.wrapping_add(place))
            }
            SectionKind::Unloaded => None,
        }
    }

    /// The address of a symbol's definition: of a function, its code and not its stub.
    #[must_use]
    pub fn symbol(&self, object: &Object<'_>, layout: &Layout<'_>, symbol: &Symbol) -> Option<u64> {
        let section = self.section(object, layout, symbol.section?)?;
        Some(section.wrapping_add(symbol.value))
    }
}
