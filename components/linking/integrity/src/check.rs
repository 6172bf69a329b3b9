//! Comparing a page or a stub with what it must be, and putting it right.

use crate::damage::{self, Damage, Part};
use core::sync::atomic::{AtomicU64, Ordering};
use handover::layout::{PAGE_SIZE, STUBS};
use linker::{
    StubIndex,
    pristine::{Condition, Image, PAGE, Restored},
};
use loader::{ImageState, Loaded, image_hash};

/// How long the other CPUs may take to park for a repair.
const PARK_LIMIT_NS: u64 = 200_000_000;

/// Bytes of a word.
const WORD: usize = size_of::<u64>();

/// Where damage was found, and how much of it stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Words that were damaged.
    pub(crate) damaged: u32,
    /// Words that could not be put right.
    pub(crate) left: u32,
    /// The first damaged byte of text.
    pub(crate) first: u64,
    /// One past the last one.
    pub(crate) end: u64,
    /// A stub whose slot was damaged, and what it led to.
    pub(crate) stub: Option<(StubIndex, u64)>,
}

impl Found {
    /// Adds what was found elsewhere.
    pub(crate) fn add(&mut self, other: Self) {
        if other.end > other.first {
            self.first = if self.end > self.first {
                self.first.min(other.first)
            } else {
                other.first
            };
            self.end = self.end.max(other.end);
        }
        self.damaged += other.damaged;
        self.left += other.left;
        self.stub = self.stub.or(other.stub);
    }
}

/// How many pages of an image there are to check.
pub(crate) fn pages(loaded: &Loaded, which: Image) -> usize {
    loaded
        .image(which)
        .map_or(0, |image| image.pristine.pages())
}

/// Compares a page of an image with its hash, and puts it right if it is damaged.
pub(crate) fn check_page(loaded: &Loaded, which: Image, page: usize) -> Found {
    let Some(image) = loaded.image(which) else {
        return Found::default();
    };
    match image.pristine.check(page, image.bytes, image_hash) {
        Condition::Sound => Found::default(),
        Condition::Damaged => repair_page(loaded, which, &image, page),
    }
}

fn repair_page(loaded: &Loaded, which: Image, image: &ImageState<'_>, page: usize) -> Found {
    let mut wanted = [0; PAGE];
    let pristine = image.pristine;
    let (length, restored) = pristine.restore(page, &loaded.bytes, &mut wanted, image_hash);
    let start = page * PAGE;
    let held = image.bytes.get(start..start + length).unwrap_or_default();
    let wanted = wanted.get(..length).unwrap_or_default();
    let part = match which {
        Image::Text => Part::Text,
        Image::Rodata => Part::Rodata,
    };
    let address = image.range.start + start as u64;
    if held == wanted {
        // The image and the object agree, so it is the hash that is damaged.
        pristine.renew_hash(page, held, image_hash);
        let mut damage = Damage::new(&loaded.name, Part::Record, address, start as u64);
        damage.repaired = true;
        damage::note(damage);
        return Found::default();
    }
    let differences = Differences::of(held, wanted);
    let repaired = restored == Restored::Proven && store(address, wanted);
    for difference in differences.kept.iter().take(differences.count as usize) {
        let at = difference.offset as u64;
        let mut damage = Damage::new(&loaded.name, part, address + at, start as u64 + at);
        (damage.found, damage.wanted) = (difference.found, difference.wanted);
        damage.repaired = repaired;
        damage::note(damage);
    }
    let count = differences.count;
    let (first, end) = match which {
        Image::Text => (address + differences.first, address + differences.end),
        Image::Rodata => (0, 0),
    };
    Found {
        damaged: count,
        left: if repaired { 0 } else { count },
        first,
        end,
        stub: None,
    }
}

/// Differing words of a page that are noted one by one.
const NOTED: usize = 8;

/// A word that differs.
#[derive(Clone, Copy, Default)]
struct Difference {
    offset: usize,
    found: u64,
    wanted: u64,
}

/// How a page differs from what it must be.
#[derive(Default)]
struct Differences {
    kept: [Difference; NOTED],
    count: u32,
    /// The first byte that differs, and one past the last.
    first: u64,
    end: u64,
}

impl Differences {
    fn of(held: &[u8], wanted: &[u8]) -> Self {
        let mut found = Self::default();
        let words = held.chunks(WORD).zip(wanted.chunks(WORD));
        for (offset, (held, wanted)) in (0..).step_by(WORD).zip(words) {
            if held == wanted {
                continue;
            }
            if let Some(place) = found.kept.get_mut(found.count as usize) {
                *place = Difference {
                    offset,
                    found: word(held),
                    wanted: word(wanted),
                };
            }
            found.count += 1;
            for (at, (held, wanted)) in (offset as u64..).zip(held.iter().zip(wanted)) {
                if held != wanted {
                    found.first = if found.end == 0 { at } else { found.first };
                    found.end = at + 1;
                }
            }
        }
        found
    }
}

/// Stores what a page that begins at `address` must hold; whether it has been done.
fn store(address: u64, wanted: &[u8]) -> bool {
    let write = || {
        // SAFETY: all other CPUs are parked and interrupts are off. What is stored is what the page
        // held when it was linked, so all who execute or read it can bear it; a word that was damaged
        // and is being executed by a parked CPU is better now than before.
        unsafe { mappings::with_window(address, |words| store_words(words, wanted)) }
    };
    let limit = clock::ns_to_ticks(PARK_LIMIT_NS);
    matches!(cpu::rendezvous(limit, write), Ok(Ok(())))
}

fn store_words(words: &[AtomicU64], wanted: &[u8]) {
    for (place, wanted) in words.iter().zip(wanted.chunks(WORD)) {
        let held = place.load(Ordering::Relaxed);
        let mut bytes = held.to_le_bytes();
        // The rest of the last word is not the image's.
        for (byte, wanted) in bytes.iter_mut().zip(wanted) {
            *byte = *wanted;
        }
        let wanted = u64::from_le_bytes(bytes);
        if held != wanted {
            place.store(wanted, Ordering::Release);
        }
    }
}

fn word(bytes: &[u8]) -> u64 {
    let mut word = [0; WORD];
    for (to, from) in word.iter_mut().zip(bytes) {
        *to = *from;
    }
    u64::from_le_bytes(word)
}

/// Compares a stub with what it must be, and puts it right if it is damaged.
pub(crate) fn check_stub(index: StubIndex) -> Found {
    if loader::check_stub(index).is_none() {
        return Found::default();
    }
    // Whoever was writing it has done so when all are parked; then a difference is a damage.
    let limit = clock::ns_to_ticks(PARK_LIMIT_NS);
    let Ok(Some((damage, repaired))) = cpu::rendezvous(limit, || repair_stub(index)) else {
        return Found::default();
    };
    let address = index.address();
    let words = (0..).step_by(WORD).zip(damage.found).zip(damage.wanted);
    let mut count = 0;
    for ((at, found), wanted) in words {
        if found != wanted {
            let mut damage = Damage::new("", Part::Stub, address + at, address + at - STUBS);
            (damage.found, damage.wanted) = (found, wanted);
            damage.repaired = repaired;
            damage::note(damage);
            count += 1;
        }
    }
    let is_slot = damage.found[1] != damage.wanted[1];
    Found {
        damaged: count,
        left: if repaired { 0 } else { count },
        first: address,
        end: address
            + if damage.found[0] == damage.wanted[0] {
                0
            } else {
                WORD as u64
            },
        stub: is_slot.then_some((index, damage.found[1])),
    }
}

/// Puts a stub right, and tells what it was; all other CPUs are parked.
fn repair_stub(index: StubIndex) -> Option<(loader::StubDamage, bool)> {
    let damage = loader::check_stub(index)?;
    let address = index.address();
    let page = address & !(PAGE_SIZE - 1);
    let first = usize::try_from((address - page) / WORD as u64).unwrap_or(0);
    // SAFETY: all other CPUs are parked and interrupts are off; a slot gets the address that the
    // loader has given it, and the word before it is the same in all stubs.
    let stored = unsafe {
        mappings::with_window(page, |words| {
            let stub = words.get(first..).unwrap_or_default();
            for (place, wanted) in stub.iter().zip(damage.wanted) {
                place.store(wanted, Ordering::Release);
            }
        })
    };
    Some((damage, stored.is_ok()))
}
