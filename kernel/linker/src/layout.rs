//! Where an object's sections lie in its images. The same object always has the same layout, so
//! whoever adopts a linked object can compute where its symbols are.

use crate::{
    key::Key,
    object::{Object, Section, SectionKind},
};
use alloc::{vec, vec::Vec};

/// Size of a GOT word in bytes.
pub(crate) const GOT_WORD: u64 = 8;

/// Size and alignment of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageLayout {
    /// Size in bytes.
    pub size: u64,
    /// Alignment in bytes, a power of two.
    pub align: u64,
}

impl ImageLayout {
    const EMPTY: Self = Self { size: 0, align: 1 };

    /// Makes room at the end and returns its offset.
    fn place(&mut self, size: u64, align: u64) -> u64 {
        let offset = self.size.next_multiple_of(align);
        self.size = offset.saturating_add(size);
        self.align = self.align.max(align);
        offset
    }
}

/// A piece of an image, in bytes from the image's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    /// Where it starts.
    pub offset: u64,
    /// How long it is.
    pub size: u64,
}

/// The storage of a mutable static.
#[derive(Clone, Copy, Debug)]
pub struct StaticLayout<'a> {
    /// ELF index of its section.
    pub section: usize,
    /// Its key; none when no symbol names the section's start.
    pub key: Key,
    /// Its section's name.
    pub name: &'a str,
    /// Its size in bytes.
    pub size: u64,
    /// Its alignment, a power of two.
    pub align: u64,
    /// Its initial bytes before relocation; empty when it begins as zeros.
    pub initial: &'a [u8],
    /// Offset in a data image that has all statics of the object.
    pub offset: u64,
}

/// The layout of an object.
pub struct Layout<'a> {
    /// Executable image.
    pub text: ImageLayout,
    /// Read-only image: constants, unwind tables, GOT words.
    pub rodata: ImageLayout,
    /// Writable image, when all statics are new.
    pub data: ImageLayout,
    /// `.eh_frame` in the rodata image.
    pub unwind_frames: Piece,
    /// `.gcc_except_table` in the rodata image.
    pub landing_pads: Piece,
    /// The GOT words in the rodata image.
    pub got: Piece,
    /// The statics, in the order of their sections.
    pub statics: Vec<StaticLayout<'a>>,
    /// For each section, its offset in its image; for a static, its index in `statics`.
    sections: Vec<u64>,
}

impl Layout<'_> {
    /// For a section of text or rodata its offset in the image; for a static its index in
    /// [`Layout::statics`].
    #[must_use]
    pub fn section(&self, index: usize) -> Option<u64> {
        self.sections.get(index).copied()
    }
}

impl<'a> Object<'a> {
    /// Where the object's sections lie in its images.
    #[must_use]
    pub fn layout(&self) -> Layout<'a> {
        let mut layout = Layout {
            text: ImageLayout { size: 0, align: 16 },
            rodata: ImageLayout { size: 0, align: 16 },
            data: ImageLayout::EMPTY,
            unwind_frames: Piece::default(),
            landing_pads: Piece::default(),
            got: Piece::default(),
            statics: Vec::new(),
            sections: vec![0; self.sections().len()],
        };
        // Constants first, then what only the unwinder reads: what is used together lies together.
        for wanted in [
            SectionKind::Text,
            SectionKind::Static,
            SectionKind::Rodata,
            SectionKind::UnwindFrames,
            SectionKind::LandingPads,
        ] {
            for (index, section) in self.sections().iter().enumerate() {
                if section.kind == wanted {
                    let place = layout.place(index, section);
                    if let Some(slot) = layout.sections.get_mut(index) {
                        *slot = place;
                    }
                }
            }
        }
        let size = self.got().len() as u64 * GOT_WORD;
        layout.got = Piece {
            offset: layout.rodata.place(size, GOT_WORD),
            size,
        };
        self.name_statics(&mut layout);
        layout
    }

    /// Gives each static the key of the symbol at its section's start.
    fn name_statics(&self, layout: &mut Layout<'a>) {
        for symbol in self.symbols() {
            let Some(section) = symbol.section else {
                continue;
            };
            let is_static = self
                .sections()
                .get(section)
                .is_some_and(|s| s.kind == SectionKind::Static);
            if !is_static || symbol.is_section() || symbol.value != 0 || symbol.key.is_none() {
                continue;
            }
            let index = layout
                .sections
                .get(section)
                .and_then(|index| usize::try_from(*index).ok());
            if let Some(named) = index.and_then(|index| layout.statics.get_mut(index))
                && named.key.is_none()
            {
                named.key = symbol.key;
            }
        }
    }
}

impl<'a> Layout<'a> {
    fn place(&mut self, index: usize, section: &Section<'a>) -> u64 {
        let (size, align) = (section.size, section.align);
        match section.kind {
            SectionKind::Text => self.text.place(size, align),
            SectionKind::Rodata => self.rodata.place(size, align),
            SectionKind::UnwindFrames => {
                let offset = self.rodata.place(size, align.max(8));
                self.unwind_frames = Piece { offset, size };
                offset
            }
            SectionKind::LandingPads => {
                let offset = self.rodata.place(size, align);
                self.landing_pads = Piece { offset, size };
                offset
            }
            SectionKind::Static => {
                let offset = self.data.place(size, align);
                self.statics.push(StaticLayout {
                    section: index,
                    key: Key::NONE,
                    name: section.name,
                    size,
                    align,
                    initial: section.data,
                    offset,
                });
                (self.statics.len() - 1) as u64
            }
            SectionKind::Unloaded => 0,
        }
    }
}
