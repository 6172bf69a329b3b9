//! The nucleus's heap: it only grows, because all of it is given back at once.

use super::POOL;
use core::{
    alloc::{GlobalAlloc, Layout},
    ptr,
};
use handover::{Purpose, layout::PAGE_SIZE};
use spin::Mutex;

/// Bytes that are available before the memory map is known: enough to sort a thousand entries of it.
const EARLY_BYTES: usize = 256 * 1024;
/// Pages taken from the pool at a time.
const CHUNK_PAGES: u64 = 128;

#[repr(align(16))]
struct EarlyBytes(#[expect(dead_code, reason = "reached by its address alone")] [u8; EARLY_BYTES]);

/// In `.bss`, as the first chunk. Mutable, because the heap hands it out.
static mut EARLY: EarlyBytes = EarlyBytes([0; EARLY_BYTES]);

/// The rest of the current chunk.
struct Chunk {
    next: usize,
    end: usize,
}

struct Heap(Mutex<Chunk>);

#[global_allocator]
static HEAP: Heap = Heap(Mutex::new(Chunk { next: 0, end: 0 }));

/// Gives the heap its first chunk.
pub(super) fn start() {
    let start = (&raw const EARLY).addr();
    *HEAP.0.lock() = Chunk { next: start, end: start + EARLY_BYTES };
}

impl Chunk {
    fn allocate(&mut self, layout: Layout) -> Option<usize> {
        if let Some(start) = self.carve(layout) {
            return Some(start);
        }
        let pages = (layout.size() as u64 + layout.align() as u64).div_ceil(PAGE_SIZE);
        let range = POOL.lock().take_high(pages.max(CHUNK_PAGES), Purpose::Nucleus)?;
        let start = usize::try_from(range.start).ok()?;
        let end = usize::try_from(range.end).ok()?;
        // Chunks come downwards: one that ends where the current one begins cannot be joined.
        *self = Self { next: start, end };
        self.carve(layout)
    }

    fn carve(&mut self, layout: Layout) -> Option<usize> {
        let start = self.next.checked_next_multiple_of(layout.align())?;
        let next = start.checked_add(layout.size())?;
        (next <= self.end).then(|| {
            self.next = next;
            start
        })
    }

    /// Grows or shrinks the last allocation in place.
    fn resize(&mut self, start: usize, old: usize, new: usize) -> bool {
        let last = start + old == self.next;
        let fits = start.checked_add(new).is_some_and(|end| end <= self.end);
        if last && fits {
            self.next = start + new;
        }
        last && fits
    }
}

// SAFETY: every block lies in the early bytes or in frames that the pool gave to the heap alone, is
// aligned, and is not handed out twice, since `next` only moves back over a block that shrinks.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = self.0.lock().allocate(layout);
        start.map_or(ptr::null_mut(), ptr::with_exposed_provenance_mut)
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        self.0.lock().resize(pointer.addr(), layout.size(), 0);
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if self.0.lock().resize(pointer.addr(), layout.size(), size) || size <= layout.size() {
            return pointer;
        }
        let Ok(layout_new) = Layout::from_size_align(size, layout.align()) else {
            return ptr::null_mut();
        };
        let Some(start) = self.0.lock().allocate(layout_new) else { return ptr::null_mut() };
        let new = ptr::with_exposed_provenance_mut(start);
        // SAFETY: the new block is larger than the old one and overlaps nothing in use.
        unsafe { ptr::copy_nonoverlapping(pointer, new, layout.size()) };
        new
    }
}
