//! What a linked image must hold, in little memory: the object's bytes, which are there anyway, and the
//! few words in which linking made the image differ from them.
//!
//! A page can so be compared with a hash of what it held when it was linked, and made anew from the
//! object without linking again: without a lock, without memory, whatever else of the system is damaged.

use crate::{
    layout::{GOT_WORD, Layout},
    object::{Object, SectionKind},
    relocation::{Kind, meaning},
};
use alloc::{boxed::Box, vec::Vec};
use core::{
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
};
use goblin::elf64::reloc::r_type;

/// Bytes of a page: the unit that is hashed and made anew.
pub const PAGE: usize = 4096;

/// Bytes that a patch sets.
const PATCH: usize = 4;

/// From one patch to the next in a word of two.
const NEXT: u32 = 4;

/// How many bytes in front of its place relaxing changes at most (see `relocation::relax`).
const RELAXED: u32 = 3;

/// Hashes a page.
pub type Hash = fn(&[u8]) -> u64;

/// Which of an object's images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Image {
    /// The executable one.
    Text,
    /// The read-only one.
    Rodata,
}

/// What one image must hold.
pub struct Pristine {
    /// Bytes of the image, without the rest of its last page.
    length: usize,
    /// Where parts of it come from in the object, by their place in the image. The rest is zeros.
    sources: Box<[Source]>,
    /// What is different, by place.
    patches: Box<[Patch]>,
    /// The hash of each page.
    hashes: Box<[AtomicU64]>,
}

/// A part of the image that begins as a part of the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Source {
    offset: u32,
    length: u32,
    in_object: u32,
}

/// Bytes that linking has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Patch {
    offset: u32,
    bytes: [u8; PATCH],
}

/// What a look at a page has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It holds what it held when it was linked.
    Sound,
    /// It does not.
    Damaged,
}

/// What making a page anew has given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restored {
    /// What the page held when it was linked, as the hash says.
    Proven,
    /// Bytes of another hash: the object, the patches or the hash are damaged, too.
    Unproven,
}

impl Pristine {
    /// What `image`, which has just been linked, must hold from now on. `bytes` are those that `object`
    /// was parsed from. `None` if an image is larger than 4 GiB.
    #[must_use]
    pub fn of(
        which: Image,
        image: &[u8],
        object: &Object<'_>,
        layout: &Layout<'_>,
        bytes: &[u8],
        hash: Hash,
    ) -> Option<Self> {
        let size = match which {
            Image::Text => layout.text.size,
            Image::Rodata => layout.rodata.size,
        };
        let image = image.get(..usize::try_from(size).ok()?)?;
        let parts = parts(which, object, layout)?;
        let sources = sources(&parts, object, bytes)?;
        let mut places = Places::default();
        for part in &parts {
            places.add_relocations(part, object);
        }
        if which == Image::Rodata {
            places.add_words(layout.got.offset, layout.got.size / GOT_WORD);
        }
        Self::of_sources(image, sources, places, hash)
    }

    fn of_sources(
        image: &[u8],
        sources: Box<[Source]>,
        places: Places,
        hash: Hash,
    ) -> Option<Self> {
        u32::try_from(image.len()).ok()?;
        let hashes = image.chunks(PAGE).map(|page| AtomicU64::new(hash(page)));
        Some(Self {
            length: image.len(),
            sources,
            hashes: hashes.collect(),
            patches: places.into_patches(image),
        })
    }

    /// How many pages the image has.
    #[must_use]
    pub const fn pages(&self) -> usize {
        self.hashes.len()
    }

    /// Bytes of memory that this takes besides the value itself, in its three parts.
    #[must_use]
    pub const fn memory(&self) -> [usize; 3] {
        [
            size_of_val::<[Source]>(&self.sources),
            size_of_val::<[Patch]>(&self.patches),
            size_of_val::<[AtomicU64]>(&self.hashes),
        ]
    }

    /// Compares page `page` of `image` with its hash. A page that the image does not have is sound.
    #[must_use]
    pub fn check(&self, page: usize, image: &[u8], hash: Hash) -> Condition {
        let held = self.range(page).and_then(|range| image.get(range));
        match (held, self.hashes.get(page)) {
            (Some(held), Some(wanted)) if hash(held) != wanted.load(Ordering::Relaxed) => {
                Condition::Damaged
            }
            _ => Condition::Sound,
        }
    }

    /// Fills the front of `into` with what page `page` must hold; returns how many bytes these are.
    /// `bytes` are those of the object.
    pub fn restore(
        &self,
        page: usize,
        bytes: &[u8],
        into: &mut [u8; PAGE],
        hash: Hash,
    ) -> (usize, Restored) {
        into.fill(0);
        let Some(range) = self.range(page) else {
            return (0, Restored::Unproven);
        };
        for source in &*self.sources {
            copy_part(source, bytes, &range, into);
        }
        let first = range.start.saturating_sub(PATCH - 1);
        let begin = self
            .patches
            .partition_point(|patch| (patch.offset as usize) < first);
        for patch in self.patches.get(begin..).unwrap_or_default() {
            let offset = patch.offset as usize;
            if offset >= range.end {
                break;
            }
            for (place, byte) in (offset..).zip(patch.bytes) {
                let inside = place.checked_sub(range.start);
                if let Some(place) = inside.and_then(|place| into.get_mut(place)) {
                    *place = byte;
                }
            }
        }
        let made = into.get(..range.len()).unwrap_or_default();
        let wanted = self.hashes.get(page).map(|it| it.load(Ordering::Relaxed));
        let proven = if wanted == Some(hash(made)) {
            Restored::Proven
        } else {
            Restored::Unproven
        };
        (range.len(), proven)
    }

    /// Takes `page`, of which the image and the object agree that it is right, as what is wanted: the
    /// hash itself was damaged.
    pub fn renew_hash(&self, page: usize, held: &[u8], hash: Hash) {
        if let Some(wanted) = self.hashes.get(page) {
            wanted.store(hash(held), Ordering::Relaxed);
        }
    }

    /// The bytes of a page in the image.
    fn range(&self, page: usize) -> Option<Range<usize>> {
        let start = page.checked_mul(PAGE)?;
        let end = start.checked_add(PAGE)?.min(self.length);
        (start < end).then_some(start..end)
    }
}

/// A section in an image.
struct Part {
    /// Its index in the object.
    section: usize,
    /// Its place in the image.
    offset: u32,
}

/// The sections that an image is made of, in the order of the image.
fn parts(which: Image, object: &Object<'_>, layout: &Layout<'_>) -> Option<Vec<Part>> {
    let mut found = Vec::new();
    for (index, section) in object.sections().iter().enumerate() {
        let is_text = match section.kind {
            SectionKind::Text => true,
            SectionKind::Rodata | SectionKind::UnwindFrames | SectionKind::LandingPads => false,
            SectionKind::Static | SectionKind::Unloaded => continue,
        };
        if is_text == (which == Image::Text) && !section.data.is_empty() {
            found.push(Part {
                section: index,
                offset: u32::try_from(layout.section(index)?).ok()?,
            });
        }
    }
    found.sort_unstable_by_key(|part| part.offset);
    Some(found)
}

/// Which parts of the object's bytes `parts` are.
fn sources(parts: &[Part], object: &Object<'_>, bytes: &[u8]) -> Option<Box<[Source]>> {
    let base = bytes.as_ptr().addr();
    let source = |part: &Part| {
        let data = object.sections().get(part.section)?.data;
        let in_object = data.as_ptr().addr().checked_sub(base)?;
        Some(Source {
            offset: part.offset,
            length: u32::try_from(data.len()).ok()?,
            in_object: u32::try_from(in_object).ok()?,
        })
    };
    parts.iter().map(source).collect()
}

/// Where linking writes into an image, [`PATCH`] bytes each.
#[derive(Default)]
struct Places(Vec<u32>);

impl Places {
    /// What the relocations of a section write: their places, and the instructions in front of those
    /// that go through a GOT word, which may be relaxed.
    fn add_relocations(&mut self, part: &Part, object: &Object<'_>) {
        let Some(section) = object.sections().get(part.section) else {
            return;
        };
        self.0.reserve(section.relocation_count());
        for relocation in section.relocations() {
            let Some(meaning) = meaning(r_type(relocation.r_info)) else {
                continue;
            };
            // Parsing has found it inside the section, and the section is in an image of less than 4 GiB.
            let offset = u32::try_from(relocation.r_offset).unwrap_or(u32::MAX);
            let place = part.offset.saturating_add(offset);
            if meaning.kind == Kind::Got {
                self.0.push(place.saturating_sub(RELAXED).max(part.offset));
            }
            self.add_bytes(place, meaning.size);
        }
    }

    /// `count` words of a table at `offset`.
    fn add_words(&mut self, offset: u64, count: u64) {
        for word in 0..count {
            let place = offset.saturating_add(word * GOT_WORD);
            self.add_bytes(u32::try_from(place).unwrap_or(u32::MAX), 2 * PATCH);
        }
    }

    #[inline]
    fn add_bytes(&mut self, place: u32, size: usize) {
        if size > 0 {
            self.0.push(place);
        }
        if size > PATCH {
            self.0.push(place.saturating_add(NEXT));
        }
    }

    /// What the image holds there.
    fn into_patches(mut self, image: &[u8]) -> Box<[Patch]> {
        if !self.0.is_sorted() {
            self.0.sort_unstable();
        }
        let patch = |offset: &u32| {
            let held = image.get(*offset as usize..).unwrap_or_default();
            let bytes = held.first_chunk().copied().unwrap_or_else(|| {
                // At the image's end.
                core::array::from_fn(|index| held.get(index).copied().unwrap_or(0))
            });
            Patch {
                offset: *offset,
                bytes,
            }
        };
        self.0.iter().map(patch).collect()
    }
}

/// Copies what `source` has of the bytes `range` of the image.
fn copy_part(source: &Source, bytes: &[u8], range: &Range<usize>, into: &mut [u8; PAGE]) {
    let start = (source.offset as usize).max(range.start);
    let end = (source.offset as usize + source.length as usize).min(range.end);
    if start >= end {
        return;
    }
    let from = source.in_object as usize + (start - source.offset as usize);
    let to = start - range.start;
    if let (Some(from), Some(to)) = (
        bytes.get(from..from + (end - start)),
        into.get_mut(to..to + (end - start)),
    ) {
        to.copy_from_slice(from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn sum(bytes: &[u8]) -> u64 {
        bytes.iter().fold(17, |hash, byte| {
            hash.wrapping_mul(0x100_0000_01B3) ^ u64::from(*byte)
        })
    }

    /// An object of 10,000 bytes, and an image that has 9,000 of them at 100 and 500 at 9,200, with
    /// changes at the ends of pages, of parts and of the image.
    fn example() -> (Vec<u8>, Vec<u8>, Pristine) {
        let object: Vec<u8> = (0..10_000_u32).map(|it| (it * 7 % 251) as u8).collect();
        let sources = vec![
            Source {
                offset: 100,
                length: 9000,
                in_object: 40,
            },
            Source {
                offset: 9200,
                length: 500,
                in_object: 9100,
            },
        ];
        let mut image = vec![0; 9710];
        image[100..9100].copy_from_slice(&object[40..9040]);
        image[9200..9700].copy_from_slice(&object[9100..9600]);
        let places = vec![
            0, 97, 100, 103, 4094, 4095, 4096, 8191, 8192, 9098, 9199, 9709,
        ];
        for place in &places {
            image[*place as usize] ^= 0x5A;
        }
        image[9709] ^= 1;
        let pristine = Pristine::of_sources(&image, sources.into(), Places(places), sum).unwrap();
        (object, image, pristine)
    }

    #[test]
    fn pages_are_made_anew() {
        let (object, image, pristine) = example();
        assert_eq!(pristine.pages(), 3);
        for (page, wanted) in image.chunks(PAGE).enumerate() {
            let mut made = [0xFF; PAGE];
            let (length, restored) = pristine.restore(page, &object, &mut made, sum);
            assert_eq!((length, restored), (wanted.len(), Restored::Proven));
            assert_eq!(made[..length], *wanted);
        }
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        let (_, mut image, pristine) = example();
        for place in [0, 1, 4095, 4096, 9709] {
            for bit in 0..8 {
                image[place] ^= 1 << bit;
                let conditions: Vec<_> = (0..3)
                    .map(|page| pristine.check(page, &image, sum))
                    .collect();
                let damaged = conditions.iter().position(|it| *it == Condition::Damaged);
                assert_eq!(damaged, Some(place / PAGE));
                image[place] ^= 1 << bit;
            }
        }
        assert_eq!(pristine.check(3, &image, sum), Condition::Sound);
    }

    #[test]
    fn damage_of_the_object_is_no_proof() {
        let (mut object, _, pristine) = example();
        object[5000] ^= 1;
        let mut made = [0; PAGE];
        let restored = pristine.restore(1, &object, &mut made, sum).1;
        assert_eq!(restored, Restored::Unproven);
        assert_eq!(
            pristine.restore(9, &object, &mut made, sum),
            (0, Restored::Unproven)
        );
    }

    #[test]
    fn a_damaged_hash_is_made_anew() {
        let (_, image, pristine) = example();
        pristine.hashes[1].store(1, Ordering::Relaxed);
        assert_eq!(pristine.check(1, &image, sum), Condition::Damaged);
        pristine.renew_hash(1, &image[PAGE..2 * PAGE], sum);
        assert_eq!(pristine.check(1, &image, sum), Condition::Sound);
    }
}
