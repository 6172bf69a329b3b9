//! Segments: the pieces of mapped memory that the allocator works in.

use core::alloc::Layout;

use handover::{VirtualRange, layout::PAGE_SIZE};
use mappings::{Mapping, MappingError, Protection};
use talc::{
    base::{Talc, binning::Binning},
    source::Source,
};

/// Size of a segment, unless an allocation needs a larger one.
const SEGMENT: usize = 16 * 1024;
/// Size from which an allocation gets pages of its own: most that is large is for a moment, and what
/// is small and stays would settle between and keep segments from being given back.
const LARGE: usize = 4 * 1024;
/// What a segment needs beyond the allocation that it is mapped for: the allocator's lists in the
/// first one, and its alignment.
const OVERHEAD: usize = 4096;
/// Free memory that must remain elsewhere for a free segment to be given back, so that a segment
/// at the edge is not mapped and unmapped all the time.
const SPARE: usize = SEGMENT / 2;

/// The allocator's view of its segments. Runs under the heap's lock, so it maps and unmaps nothing.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    /// Bytes in all segments.
    pub(crate) mapped: usize,
    /// Bytes allocated.
    pub(crate) used: usize,
    /// A segment that has become free, to be unmapped when the lock is released.
    free: Option<VirtualRange>,
}

impl Segments {
    pub(crate) const fn new() -> Self {
        Self {
            mapped: 0,
            used: 0,
            free: None,
        }
    }

    /// The segment that the last deallocation has freed.
    pub(crate) fn take_free(&mut self) -> Option<VirtualRange> {
        self.free.take()
    }
}

// SAFETY: neither function allocates or touches the allocator; `resize` answers with one of the two
// addresses it was given.
unsafe impl Source for Segments {
    const TRACK_HEAP_END: bool = true;

    fn acquire<B: Binning>(_: &mut Talc<Self, B>, _: Layout) -> Result<(), ()> {
        Err(()) // Segments are mapped outside the lock.
    }

    unsafe fn resize(&mut self, base: *mut u8, end: *mut u8, is_whole: bool) -> *mut u8 {
        // A segment starts at a page, and the allocator's base at most one unit behind that.
        let start = (base.addr() - 1) & !page_mask();
        let bytes = end.addr() - start;
        let spare = self.mapped.saturating_sub(self.used + bytes);
        if !is_whole || spare < SPARE || self.free.is_some() {
            return end;
        }
        self.mapped -= bytes;
        self.free = Some(VirtualRange {
            start: start as u64,
            end: end.addr() as u64,
        });
        base
    }
}

/// Whether an allocation gets pages of its own, so that freeing it leaves no hole that smaller ones
/// keep from being unmapped.
pub(crate) const fn is_large(layout: Layout) -> bool {
    layout.size() >= LARGE && layout.align() as u64 <= PAGE_SIZE
}

/// The pages of a large allocation at `start`.
pub(crate) fn large_range(start: u64, layout: Layout) -> VirtualRange {
    // A layout's size is below half of the address space.
    let bytes = (layout.size() as u64).next_multiple_of(PAGE_SIZE);
    VirtualRange {
        start,
        end: start.saturating_add(bytes),
    }
}

/// Maps pages for one large allocation.
pub(crate) fn map_large(layout: Layout) -> Result<VirtualRange, MappingError> {
    Ok(Mapping::allocate_heap(layout.size() as u64)?.leak())
}

/// Maps a segment in which `layout` fits.
pub(crate) fn map(layout: Layout) -> Result<VirtualRange, MappingError> {
    let needed = layout
        .size()
        .saturating_add(layout.align())
        .saturating_add(OVERHEAD);
    let mapping = Mapping::allocate_heap(needed.max(SEGMENT) as u64)?;
    Ok(mapping.leak())
}

/// Unmaps a segment, or the pages of a large allocation.
///
/// # Safety
///
/// They must come from `map` or `map_large`, nothing in them may be in use, and the allocator must
/// have forgotten them.
pub(crate) unsafe fn unmap(segment: VirtualRange) {
    // SAFETY: they were given away by `map` or `map_large`; the caller is their one owner.
    let mapping = unsafe { Mapping::adopt(segment, Protection::ReadWrite) };
    // It cannot fail for a mapped segment; if it did, the memory would leak and nothing else.
    drop(mapping);
}

#[expect(clippy::cast_possible_truncation, reason = "a page has 4096 bytes")]
const fn page_mask() -> usize {
    PAGE_SIZE as usize - 1
}
