//! The pages of entry stubs: mapped read and execute, written through a temporary alias.

use crate::{LoadError, ranks};
use alloc::{borrow::ToOwned, vec::Vec};
use core::{
    ptr,
    sync::atomic::{AtomicPtr, AtomicU64, Ordering},
};
use cpu::InterruptsOff;
use handover::{
    VirtualRange,
    layout::{PAGE_SIZE, STUB_SIZE, STUBS, STUBS_END},
};
use linker::{Namespace, SlotStore, StubIndex, stub};
use mappings::{Mapping, MappingError, Protection};
use mutex::Mutex;

/// What no stub uses is a breakpoint, so that a stray jump stops at once.
const UNUSED: u8 = 0xCC;

/// The pages of the stub area, in the order of their addresses, without gaps.
#[used]
static PAGES: Mutex<Vec<Mapping>> = Mutex::ranked(ranks::STUBS, Vec::new());

/// The end of the pages in [`PAGES`].
#[used]
static MAPPED_END: AtomicU64 = AtomicU64::new(STUBS);

/// Stubs of a piece of [`WANTED`].
const PIECE: usize = 4096;

/// Pieces that the stub area needs at most.
const PIECES: usize = ((STUBS_END - STUBS) / STUB_SIZE) as usize / PIECE;

/// What each slot must hold, in pieces that are never freed: a second witness, by which a damaged
/// stub is seen and put right. 0 for a stub that nobody uses.
#[used]
static WANTED: [AtomicPtr<AtomicU64>; PIECES] = [const { AtomicPtr::new(ptr::null_mut()) }; PIECES];

/// Makes room for what the slots below `end` must hold.
fn extend_wanted(end: u64) {
    let stubs = usize::try_from((end - STUBS) / STUB_SIZE).unwrap_or(0);
    for piece in WANTED.iter().take(stubs.div_ceil(PIECE)) {
        if piece.load(Ordering::Acquire).is_null() {
            let words: Vec<AtomicU64> = (0..PIECE).map(|_| AtomicU64::new(0)).collect();
            piece.store(words.leak().as_mut_ptr(), Ordering::Release);
        }
    }
}

/// The word that says what the slot of a stub must hold.
fn wanted(index: StubIndex) -> Option<&'static AtomicU64> {
    let index = index.0 as usize;
    let piece = WANTED.get(index / PIECE)?.load(Ordering::Acquire);
    if piece.is_null() {
        return None;
    }
    let word = piece.wrapping_add(index % PIECE);
    // SAFETY: a piece has `PIECE` words and is never freed, and the index lies in it.
    Some(unsafe { &*word })
}

/// A stub that is not what it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StubDamage {
    /// The two words that it holds.
    pub found: [u64; 2],
    /// The two words that it must hold.
    pub wanted: [u64; 2],
}

/// How many stubs the mapped pages have room for.
#[must_use]
pub fn mapped_stubs() -> u32 {
    let bytes = MAPPED_END.load(Ordering::Acquire) - STUBS;
    u32::try_from(bytes / STUB_SIZE).unwrap_or(u32::MAX)
}

/// Compares a stub with what it must be. Takes no lock; a stub that is being written right now may
/// look damaged, unless all other CPUs are parked.
#[must_use]
pub fn check_stub(index: StubIndex) -> Option<StubDamage> {
    let target = wanted(index)?.load(Ordering::Acquire);
    if target == 0 || index.address() >= MAPPED_END.load(Ordering::Acquire) {
        return None;
    }
    let words = stub::encode(target);
    let (code, slot) = words.split_at(size_of::<u64>());
    let wanted = [word(code), word(slot)];
    let stub = index.address() as *const [u64; 2];
    // SAFETY: the pages below the end are mapped for ever, and a stub is two aligned words.
    let found = unsafe { stub.read_volatile() };
    (found != wanted).then_some(StubDamage { found, wanted })
}

fn word(bytes: &[u8]) -> u64 {
    bytes
        .first_chunk()
        .map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// Adopts the pages of the first `count` stubs, which the nucleus has mapped.
pub(crate) fn adopt(count: usize) -> Result<(), LoadError> {
    let bytes = (count as u64 * stub::SIZE as u64).next_multiple_of(PAGE_SIZE);
    if bytes == 0 {
        return Ok(());
    }
    let range = VirtualRange {
        start: STUBS,
        end: STUBS + bytes,
    };
    // SAFETY: the nucleus mapped the pages of its stubs by small pages and leaves them to us; the
    // loader starts once.
    let mapping = unsafe { Mapping::adopt(range, Protection::ReadExecute) }.map_err(no_memory)?;
    PAGES.lock().push(mapping);
    MAPPED_END.store(range.end, Ordering::Release);
    extend_wanted(range.end);
    for number in 0..u32::try_from(count).unwrap_or(u32::MAX) {
        let index = StubIndex(number);
        if let (Some(wanted), Some(target)) = (wanted(index), read_slot(index)) {
            wanted.store(target, Ordering::Release);
        }
    }
    Ok(())
}

/// What a stub's slot holds; `None` when the stub's page is not mapped. Takes no lock.
#[must_use]
pub fn read_slot(index: StubIndex) -> Option<u64> {
    let address = index.slot();
    if address >= MAPPED_END.load(Ordering::Acquire) {
        return None;
    }
    // SAFETY: the pages below the end are mapped for ever, and slots are aligned words that change
    // by whole stores.
    Some(unsafe { (address as *const u64).read_volatile() })
}

/// Writes the stubs that linking has made in `namespace` and that still have an owner.
///
/// # Errors
///
/// When there is no memory for more stubs.
pub fn write_fresh(namespace: &mut Namespace) -> Result<(), LoadError> {
    let fresh = namespace.take_fresh_stubs();
    let targets: Vec<_> = fresh
        .iter()
        .filter_map(|index| Some((*index, namespace.stub(*index)?.target)))
        .collect();
    write(&targets)
}

/// Writes whole stubs. None of them may be in use.
fn write(stubs: &[(StubIndex, u64)]) -> Result<(), LoadError> {
    let Some(range) = pages_of(stubs.iter().map(|(index, _)| *index)) else {
        return Ok(());
    };
    extend_to(range.end)?;
    extend_wanted(range.end);
    // SAFETY: stub pages are never unmapped, and the stubs written here are not in use.
    let alias = unsafe { Mapping::alias(range, Protection::ReadWrite) };
    let mut alias = alias.map_err(no_memory)?;
    let memory = alias.as_mut_slice().map_err(no_memory)?;
    for (index, target) in stubs {
        let start = usize::try_from(index.address() - range.start).unwrap_or(usize::MAX);
        // With interrupts off, so that nobody who has parked this CPU sees one without the other.
        let off = InterruptsOff::new();
        if let Some(place) = memory.get_mut(start..start.saturating_add(stub::SIZE)) {
            place.copy_from_slice(&stub::encode(*target));
        }
        if let Some(wanted) = wanted(*index) {
            wanted.store(*target, Ordering::Release);
        }
        drop(off);
    }
    Ok(())
}

/// Makes stubs unusable whose component is gone: a jump through one faults at address 0.
pub(crate) fn clear(stubs: &[StubIndex]) -> Result<(), LoadError> {
    let cleared: Vec<_> = stubs.iter().map(|index| (*index, 0)).collect();
    write(&cleared)
}

/// The smallest range of pages that has all of `stubs`; none if there are none.
fn pages_of(stubs: impl Iterator<Item = StubIndex>) -> Option<VirtualRange> {
    let (mut first, mut last) = (u64::MAX, 0);
    for index in stubs {
        first = first.min(index.address());
        last = last.max(index.address());
    }
    (first <= last).then(|| VirtualRange {
        start: first & !(PAGE_SIZE - 1),
        end: (last & !(PAGE_SIZE - 1)) + PAGE_SIZE,
    })
}

/// Maps pages for stubs up to `end`.
fn extend_to(end: u64) -> Result<(), LoadError> {
    let mut pages = PAGES.lock();
    let mapped = MAPPED_END.load(Ordering::Acquire);
    if mapped >= end {
        return Ok(());
    }
    let range = VirtualRange { start: mapped, end };
    let mut mapping = Mapping::allocate_at(range, Protection::ReadWrite).map_err(no_memory)?;
    mapping.as_mut_slice().map_err(no_memory)?.fill(UNUSED);
    mapping
        .protect(Protection::ReadExecute)
        .map_err(no_memory)?;
    pages.push(mapping);
    MAPPED_END.store(end, Ordering::Release);
    Ok(())
}

fn no_memory(error: MappingError) -> LoadError {
    LoadError::Memory {
        component: "the entry stubs".to_owned(),
        error,
    }
}

/// Slot stores that are ready to be made: everything that can fail has been done.
pub struct SlotStores {
    /// Writable alias of the pages with the slots.
    alias: Option<Mapping>,
    /// Offset of each slot in the alias, what it holds and what it is to hold.
    stores: Vec<PreparedStore>,
}

struct PreparedStore {
    stub: StubIndex,
    offset: usize,
    old: u64,
    new: u64,
}

impl SlotStores {
    /// Prepares `stores`; changes no slot.
    ///
    /// # Errors
    ///
    /// When there is no memory for the alias.
    pub fn prepare(stores: &[SlotStore]) -> Result<Self, LoadError> {
        let Some(range) = pages_of(stores.iter().map(|store| store.stub)) else {
            return Ok(Self {
                alias: None,
                stores: Vec::new(),
            });
        };
        // SAFETY: stub pages are never unmapped; what is written is one aligned 8-byte store a
        // slot, and a jump through the slot reads either value.
        let alias = unsafe { Mapping::alias(range, Protection::ReadWrite) };
        let alias = alias.map_err(no_memory)?;
        let stores = stores
            .iter()
            .map(|store| PreparedStore {
                stub: store.stub,
                offset: usize::try_from(store.stub.slot() - range.start).unwrap_or(usize::MAX),
                old: store.old,
                new: store.new,
            })
            .collect();
        Ok(Self {
            alias: Some(alias),
            stores,
        })
    }

    /// Number of slots.
    #[must_use]
    pub fn len(&self) -> usize {
        self.stores.len()
    }

    /// Whether there is no slot to store to.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stores.is_empty()
    }

    /// Whether every slot still holds what it held when the stores were computed.
    #[must_use]
    pub fn slots_are_unchanged(&self) -> bool {
        let Some(alias) = &self.alias else {
            return true;
        };
        self.stores.iter().all(|store| {
            slot(alias, store.offset).is_some_and(|slot| slot.load(Ordering::Acquire) == store.old)
        })
    }

    /// Makes the stores. Allocates nothing, takes no lock and cannot fail.
    pub fn commit(&mut self) {
        let Some(alias) = &self.alias else { return };
        for store in &self.stores {
            if let Some(slot) = slot(alias, store.offset) {
                // One aligned 8-byte store: who jumps through the slot meanwhile reads either value.
                slot.store(store.new, Ordering::Release);
            }
            if let Some(wanted) = wanted(store.stub) {
                wanted.store(store.new, Ordering::Release);
            }
        }
    }
}

/// The slot at `offset` of the alias.
fn slot(alias: &Mapping, offset: usize) -> Option<&AtomicU64> {
    let bytes = alias.as_slice().get(offset..)?.get(..size_of::<u64>())?;
    if alias.protection() != Protection::ReadWrite {
        return None;
    }
    let slot = bytes.as_ptr().cast_mut().cast::<AtomicU64>();
    // SAFETY: the alias maps the word, readable and writable, as long as the borrow of it; slots lie
    // at multiples of 8; all who use one do so by whole aligned loads and stores.
    slot.is_aligned().then(|| unsafe { &*slot })
}
