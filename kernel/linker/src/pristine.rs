//! What a linked image must hold, in little memory: the object's bytes, which are there anyway, and the
//! few words in which linking made the image differ from them.
//!
//! A page can so be compared with a hash of what it held when it was linked, and made anew from the
//! object without linking again: without a lock, without memory, whatever else of the system is damaged.

use crate::{
    layout::Layout,
    object::{Object, SectionKind},
};
use alloc::{boxed::Box, vec::Vec};
use core::{
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
};

/// Bytes of a page: the unit that is hashed and made anew.
pub const PAGE: usize = 4096;

/// Bytes that a patch sets.
const PATCH: usize = 4;

/// Bytes that are compared at once.
const WORD: usize = 8;

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
        let sources = sources(which, object, layout, bytes)?;
        Self::of_sources(image, sources, bytes, hash)
    }

    fn of_sources(image: &[u8], sources: Vec<Source>, bytes: &[u8], hash: Hash) -> Option<Self> {
        u32::try_from(image.len()).ok()?;
        let mut patches = Vec::new();
        let mut end = 0;
        for source in &sources {
            let start = source.offset as usize;
            find_patches(image, end..start, &[], &mut patches);
            end = start.checked_add(source.length as usize)?;
            let original = bytes.get(source.in_object as usize..)?;
            let original = original.get(..source.length as usize)?;
            find_patches(image, start..end, original, &mut patches);
        }
        find_patches(image, end..image.len(), &[], &mut patches);
        let hashes = image.chunks(PAGE).map(|page| AtomicU64::new(hash(page)));
        Some(Self {
            length: image.len(),
            sources: sources.into_boxed_slice(),
            hashes: hashes.collect(),
            patches: patches.into_boxed_slice(),
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

/// Which parts of the object's bytes its sections in an image are, in the order of the image.
fn sources(
    which: Image,
    object: &Object<'_>,
    layout: &Layout<'_>,
    bytes: &[u8],
) -> Option<Vec<Source>> {
    let base = bytes.as_ptr().addr();
    let mut found = Vec::new();
    for (index, section) in object.sections().iter().enumerate() {
        let is_text = match section.kind {
            SectionKind::Text => true,
            SectionKind::Rodata | SectionKind::UnwindFrames | SectionKind::LandingPads => false,
            SectionKind::Static | SectionKind::Unloaded => continue,
        };
        if is_text != (which == Image::Text) || section.data.is_empty() {
            continue;
        }
        let in_object = section.data.as_ptr().addr().checked_sub(base)?;
        found.push(Source {
            offset: u32::try_from(layout.section(index)?).ok()?,
            length: u32::try_from(section.data.len()).ok()?,
            in_object: u32::try_from(in_object).ok()?,
        });
    }
    found.sort_unstable_by_key(|source| source.offset);
    Some(found)
}

/// Notes where the bytes `range` of `image` differ from `original`, behind whose end there are zeros.
fn find_patches(image: &[u8], range: Range<usize>, original: &[u8], patches: &mut Vec<Patch>) {
    let mut at = range.start;
    while at < range.end {
        let held = image.get(at..range.end).unwrap_or_default();
        let original = original.get(at - range.start..).unwrap_or_default();
        // Whole words first: nearly all are equal.
        let words = equal_words(held, original) * WORD;
        let end = held.len().min(words + WORD);
        let byte_of = |index: usize| original.get(index).copied().unwrap_or(0);
        let rest = held.get(words..end).unwrap_or_default();
        let different = (words..)
            .zip(rest)
            .find_map(|(index, byte)| (*byte != byte_of(index)).then_some(at + index));
        let Some(place) = different else {
            at += end;
            continue;
        };
        // The bytes behind what differs are the image's, too, so they are right wherever they lie.
        let bytes = core::array::from_fn(|index| image.get(place + index).copied().unwrap_or(0));
        patches.push(Patch {
            offset: u32::try_from(place).unwrap_or(u32::MAX),
            bytes,
        });
        at = place + PATCH;
    }
}

/// How many words at the front of `held` equal those of `original`, or are zero if there is none.
fn equal_words(held: &[u8], original: &[u8]) -> usize {
    let (held, _) = held.as_chunks::<WORD>();
    let (original, _) = original.as_chunks::<WORD>();
    let different = if original.is_empty() {
        held.iter().position(|held| *held != [0; WORD])
    } else {
        let mut pairs = held.iter().zip(original);
        pairs
            .position(|(held, original)| held != original)
            .or((held.len() > original.len()).then_some(original.len()))
    };
    different.unwrap_or(held.len())
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
        for place in [
            0, 99, 100, 103, 4094, 4095, 4096, 8191, 8192, 9098, 9199, 9709,
        ] {
            image[place] ^= 0x5A;
        }
        let pristine = Pristine::of_sources(&image, sources, &object, sum).unwrap();
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
