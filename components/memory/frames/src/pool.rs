//! All frames of the machine, behind one lock.

use component::{Handover, StartError};
use cpu::IrqMutex;
use handover::{MemoryKind, MemoryRegion, PhysicalRange, Purpose, UsedRange, layout::PAGE_SIZE};

use crate::{FrameError, bitmap::Bitmap};

/// Memory below this address belongs to the firmware's habits.
const LOW_MEMORY_END: u64 = 1 << 20;

#[used]
static POOL: IrqMutex<Option<Pool>> = IrqMutex::new(None);

struct Pool {
    bitmap: Bitmap<'static>,
    /// Where the bitmap lies.
    place: PhysicalRange,
    trampoline: Option<PhysicalRange>,
    total: usize,
    free: usize,
    nucleus: usize,
}

/// How many frames there are, and for what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameStatistics {
    /// Usable frames of the machine (those below 1 MiB are not counted).
    pub total: usize,
    /// Free frames, the reserve included.
    pub free: usize,
    /// Frames that the nucleus still holds; 0 once its memory has been given back.
    pub nucleus: usize,
}

/// Builds the bitmap from the hand-over.
pub(crate) fn start(handover: &'static Handover) -> Result<(), StartError> {
    let memory = handover.memory.as_slice();
    let used = handover.used.as_slice();
    let end = usable(memory).map(|range| range.end).max().unwrap_or(0);
    let words = Bitmap::words_for(frame_number(end));
    let bytes = (words as u64 * 8).next_multiple_of(PAGE_SIZE);
    let place = find_place(memory, used, bytes).ok_or(FrameError::NoPlaceForBitmap { bytes })?;
    // SAFETY: the nucleus still has usable memory mapped at its physical addresses, the place is
    // usable memory that nobody has taken, page aligned, and all bit patterns are words.
    let storage = unsafe { core::slice::from_raw_parts_mut(place.start as *mut u64, words) };
    *POOL.lock() = Some(Pool::new(storage, place, memory, used));
    Ok(())
}

impl Pool {
    fn new(
        storage: &'static mut [u64],
        place: PhysicalRange,
        memory: &[MemoryRegion],
        used: &[UsedRange],
    ) -> Self {
        let mut pool = Self {
            bitmap: Bitmap::new(storage),
            place,
            trampoline: find_trampoline(memory, used),
            total: 0,
            free: 0,
            nucleus: 0,
        };
        for range in usable(memory) {
            let start = range.start.max(LOW_MEMORY_END);
            pool.total += pool.mark(
                PhysicalRange {
                    start,
                    end: range.end,
                },
                false,
            );
        }
        pool.free = pool.total;
        for used in used {
            let frames = pool.mark(used.range, true);
            pool.free -= frames;
            if used.purpose == Purpose::Nucleus {
                pool.nucleus += frames;
            }
        }
        pool.free -= pool.mark(place, true);
        pool
    }

    fn mark(&mut self, range: PhysicalRange, taken: bool) -> usize {
        let first = frame_number(range.start);
        let end = frame_number(range.end);
        self.bitmap.mark(first, end.saturating_sub(first), taken)
    }
}

/// Takes frames, leaving `reserve` free ones.
pub(crate) fn take(
    count: usize,
    alignment: u64,
    reserve: usize,
) -> Result<PhysicalRange, FrameError> {
    let mut guard = POOL.lock();
    let pool = guard.as_mut().ok_or(FrameError::NotStarted)?;
    if pool.free.saturating_sub(reserve) < count {
        return Err(FrameError::Exhausted {
            count,
            free: pool.free,
        });
    }
    let first = pool
        .bitmap
        .take(count, frame_number(alignment))
        .ok_or(FrameError::Fragmented { count, alignment })?;
    pool.free -= count;
    let start = first as u64 * PAGE_SIZE;
    Ok(PhysicalRange {
        start,
        end: start + count as u64 * PAGE_SIZE,
    })
}

/// Takes one frame, leaving `reserve` free ones, unless this CPU is inside the pool: for exceptions.
pub(crate) fn take_in_exception(reserve: usize) -> Option<PhysicalRange> {
    let free = !POOL.is_ours();
    free.then(|| take(1, PAGE_SIZE, reserve).ok()).flatten()
}

/// As [`give_back`], from an exception: the frames are lost if that has hit the pool's own code.
pub(crate) fn give_back_in_exception(range: PhysicalRange) {
    if !POOL.is_ours() {
        give_back(range);
    }
}

pub(crate) fn give_back(range: PhysicalRange) {
    if let Some(pool) = POOL.lock().as_mut() {
        // Frames that were free already are not counted a second time.
        let first = frame_number(range.start);
        pool.free += pool.bitmap.free(first, frame_number(range.end) - first);
    }
}

/// How many frames there are, and for what.
#[must_use]
pub fn statistics() -> FrameStatistics {
    POOL.lock()
        .as_ref()
        .map_or_else(FrameStatistics::default, |pool| FrameStatistics {
            total: pool.total,
            free: pool.free,
            nucleus: pool.nucleus,
        })
}

/// A frame below 1 MiB on which another CPU can start, if the machine has one to spare.
#[must_use]
pub fn trampoline() -> Option<PhysicalRange> {
    POOL.lock().as_ref().and_then(|pool| pool.trampoline)
}

/// Where the bitmap lies. For `mappings`, which gives it an address of its own.
#[must_use]
pub fn bitmap_range() -> Option<PhysicalRange> {
    POOL.lock().as_ref().map(|pool| pool.place)
}

/// Makes the bitmap be reached at `address` from now on.
///
/// # Safety
///
/// All of [`bitmap_range`] must be mapped writable at `address` for ever, for nobody else's use.
pub unsafe fn move_bitmap(address: u64) {
    if let Some(pool) = POOL.lock().as_mut() {
        let words = pool.bitmap.len_words();
        // SAFETY: the caller promises that the same frames are mapped there for us alone; the old
        // slice is given up here, under the lock.
        pool.bitmap
            .move_to(unsafe { core::slice::from_raw_parts_mut(address as *mut u64, words) });
    }
}

/// Notes that the nucleus's frames have been given back.
pub fn nucleus_given_back() {
    if let Some(pool) = POOL.lock().as_mut() {
        pool.nucleus = 0;
    }
}

fn usable(memory: &[MemoryRegion]) -> impl Iterator<Item = PhysicalRange> {
    memory
        .iter()
        .filter(|region| region.kind == MemoryKind::Usable)
        .map(|region| region.range)
}

/// The lowest place for `bytes` bytes above 1 MiB.
fn find_place(memory: &[MemoryRegion], used: &[UsedRange], bytes: u64) -> Option<PhysicalRange> {
    usable(memory).find_map(|range| gap(range, LOW_MEMORY_END, used, bytes))
}

/// A frame from 0x1000 on: the first one holds the real-mode interrupt table.
fn find_trampoline(memory: &[MemoryRegion], used: &[UsedRange]) -> Option<PhysicalRange> {
    usable(memory)
        .find_map(|range| gap(range, PAGE_SIZE, used, PAGE_SIZE))
        .filter(|range| range.end <= LOW_MEMORY_END)
}

/// The first `bytes` bytes in `range`, from `floor` on, that no used range touches.
fn gap(range: PhysicalRange, floor: u64, used: &[UsedRange], bytes: u64) -> Option<PhysicalRange> {
    let mut start = range.start.max(floor);
    // The used ranges ascend.
    for taken in used.iter().map(|used| used.range) {
        if taken.start < start.saturating_add(bytes) && start < taken.end {
            start = taken.end;
        }
    }
    let end = start.checked_add(bytes)?;
    (end <= range.end).then_some(PhysicalRange { start, end })
}
fn frame_number(address: u64) -> usize {
    (address / PAGE_SIZE) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(start: u64, end: u64, kind: MemoryKind) -> MemoryRegion {
        MemoryRegion {
            range: PhysicalRange { start, end },
            kind,
        }
    }

    fn used(start: u64, end: u64, purpose: Purpose) -> UsedRange {
        UsedRange {
            range: PhysicalRange { start, end },
            purpose,
        }
    }

    #[test]
    fn counts_usable_memory_less_what_is_used() {
        let memory = [
            region(0, 0x9_F000, MemoryKind::Usable),
            region(0xF_0000, 0x10_0000, MemoryKind::Reserved),
            region(0x10_0000, 0x80_0000, MemoryKind::Usable),
        ];
        let used = [
            used(0x1000, 0x2000, Purpose::PageTables),
            used(0x10_0000, 0x20_0000, Purpose::Nucleus),
            used(0x20_0000, 0x20_4000, Purpose::Archive),
        ];
        let place = find_place(&memory, &used, PAGE_SIZE).unwrap();
        assert_eq!(
            place,
            PhysicalRange {
                start: 0x20_4000,
                end: 0x20_5000
            }
        );
        let words = Box::leak(vec![0; Bitmap::words_for(0x800)].into_boxed_slice());
        let pool = Pool::new(words, place, &memory, &used);
        assert_eq!(pool.total, 0x700);
        assert_eq!(pool.free, 0x700 - 0x100 - 4 - 1);
        assert_eq!(pool.nucleus, 0x100);
        assert_eq!(
            pool.trampoline,
            Some(PhysicalRange {
                start: 0x2000,
                end: 0x3000
            })
        );
        assert!(pool.bitmap.is_taken(0x204));
        assert!(!pool.bitmap.is_taken(0x205));
        assert!(pool.bitmap.is_taken(5));
    }

    #[test]
    fn a_map_without_room_has_no_place() {
        let memory = [region(0x10_0000, 0x10_2000, MemoryKind::Usable)];
        let used = [used(0x10_0000, 0x10_1000, Purpose::Nucleus)];
        assert!(find_place(&memory, &used, 2 * PAGE_SIZE).is_none());
        assert!(find_trampoline(&memory, &used).is_none());
    }
}
