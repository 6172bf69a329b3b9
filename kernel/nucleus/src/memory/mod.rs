//! The nucleus's memory: frames that are free or taken, and its heap on top of them.

mod heap;

use crate::{
    boot::PhysicalMemory,
    error::BootError,
    frame_pool::FramePool,
    memory_map::{usable_below, without},
    say,
};
use alloc::vec::Vec;
use handover::{MemoryKind, MemoryRegion, PhysicalRange, Purpose, UsedRange, layout::PAGE_SIZE};
use spin::Mutex;

/// End of what the boot page tables map. The nucleus takes memory below only; the components are
/// told of all of it.
pub(crate) const IDENTITY_END: u64 = 4 << 30;
/// Firmware, the boot loader's structures and the start-up code of other CPUs live below.
const LOW_END: u64 = 1 << 20;
/// Usable memory that a boot to the shell needs beside the archive.
const NEEDED_BYTES: u64 = 20 << 20;

static POOL: Mutex<FramePool> = Mutex::new(FramePool::EMPTY);

unsafe extern "C" {
    /// First byte of the nucleus, set by the linker script.
    static nucleus_start: u8;
    /// First byte of its text, page aligned.
    static nucleus_text_start: u8;
    /// End of its text, page aligned.
    static nucleus_text_end: u8;
    /// End of the nucleus, page aligned.
    static nucleus_end: u8;
}

/// The nucleus itself, from its first to its last page.
pub(crate) fn nucleus_range() -> PhysicalRange {
    let start = (&raw const nucleus_start) as u64;
    PhysicalRange { start, end: (&raw const nucleus_end) as u64 }
}

/// The nucleus's text.
pub(crate) fn nucleus_text() -> PhysicalRange {
    let start = (&raw const nucleus_text_start) as u64;
    PhysicalRange { start, end: (&raw const nucleus_text_end) as u64 }
}

/// Makes small allocations possible, before the memory map is known.
pub(crate) fn start_heap() {
    heap::start();
}

/// Fills the pool with what is usable but for the nucleus itself and the archive.
///
/// # Errors
///
/// When there is less than a boot needs.
pub(crate) fn start_pool(
    regions: &[MemoryRegion],
    archive: PhysicalRange,
) -> Result<(), BootError> {
    let pages = pages_around(archive);
    let there = usable_below(regions, IDENTITY_END);
    let needed = NEEDED_BYTES + pages.len();
    if there < needed {
        return Err(BootError::TooLittleMemory { there, needed });
    }
    let free = without(&without(&takeable(regions), nucleus_range()), pages);
    let mut pool = POOL.lock();
    free.into_iter().for_each(|range| pool.add(range));
    pool.record(nucleus_range(), Purpose::Nucleus);
    pool.record(pages, Purpose::Archive);
    Ok(())
}

/// What of `regions` the nucleus may take.
fn takeable(regions: &[MemoryRegion]) -> Vec<PhysicalRange> {
    let usable = regions.iter().filter(|region| region.kind == MemoryKind::Usable);
    let ranges = usable.map(|region| PhysicalRange {
        start: region.range.start.max(LOW_END),
        end: region.range.end.min(IDENTITY_END),
    });
    ranges.filter(|range| !range.is_empty()).collect()
}

/// What of `regions` the nucleus could have taken and has not.
pub(crate) fn untouched(regions: &[MemoryRegion]) -> Vec<PhysicalRange> {
    let taken = used();
    taken.iter().fold(takeable(regions), |left, used| without(&left, used.range))
}

/// The whole pages that `range` touches.
pub(crate) const fn pages_around(range: PhysicalRange) -> PhysicalRange {
    let mask = PAGE_SIZE - 1;
    PhysicalRange { start: range.start & !mask, end: (range.end + mask) & !mask }
}

/// Frames that were taken out of the pool. Possessing one is the right to write to them.
pub(crate) struct TakenFrames(PhysicalRange);

impl TakenFrames {
    /// Takes `bytes`, rounded up to whole frames, contiguous, not cleared.
    pub(crate) fn take(bytes: u64, purpose: Purpose) -> Result<Self, BootError> {
        let range = POOL.lock().take_low(bytes.div_ceil(PAGE_SIZE), purpose);
        range.map(Self).ok_or_else(|| out_of_memory(bytes))
    }

    /// Where they are.
    pub(crate) const fn range(&self) -> PhysicalRange {
        self.0
    }

    /// Their contents.
    #[expect(clippy::cast_possible_truncation, reason = "usize has 64 bits on this machine")]
    pub(crate) const fn bytes(&mut self) -> &mut [u8] {
        let (start, length) = (self.0.start as *mut u8, self.0.len() as usize);
        // SAFETY: identity mapped, and the pool gave the frames to this value alone, which is
        // borrowed as long as the slice lives.
        unsafe { core::slice::from_raw_parts_mut(start, length) }
    }
}

/// What was taken so far.
pub(crate) fn used() -> Vec<UsedRange> {
    let mut copy = Vec::new();
    loop {
        // Not under the lock: the copy's memory may have to be taken from the pool itself, which may add
        // to the list.
        let count = POOL.lock().used().len();
        copy.reserve(count);
        let mut pool = POOL.lock();
        if pool.used().len() <= copy.capacity() {
            copy.extend_from_slice(pool.used());
            return copy;
        }
    }
}

/// What a failed allocation of `bytes` means to the user.
fn out_of_memory(bytes: u64) -> BootError {
    BootError::OutOfMemory { asked: bytes, free: POOL.lock().free() }
}

/// Ends the boot because the heap could not grow by `bytes`.
pub(crate) fn exhausted(bytes: usize) -> ! {
    say::fatal(&out_of_memory(bytes as u64))
}

/// Physical memory through the identity map.
pub(crate) struct IdentityMap;

impl PhysicalMemory for IdentityMap {
    fn bytes(&self, start: u64, length: u64) -> Option<&[u8]> {
        let end = start.checked_add(length)?;
        if start == 0 || end > IDENTITY_END {
            return None;
        }
        let length = usize::try_from(length).ok()?;
        // SAFETY: mapped, and the boot loader's structures are written by nobody while they are read.
        Some(unsafe { core::slice::from_raw_parts(start as *const u8, length) })
    }
}
