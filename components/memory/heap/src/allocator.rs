//! The allocator behind its lock.

use core::{
    alloc::{GlobalAlloc, Layout},
    ptr::{self, NonNull},
    sync::atomic::{AtomicUsize, Ordering},
};

use cpu::IrqMutex;
use handover::VirtualRange;
use mappings::MappingError;
use talc::{DefaultBinning, base::Talc};

use crate::{
    class::Class,
    magazines::{self, Chain, Depot},
    segments::{self, Segments},
};

/// The heap. All values of this type are the same heap.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heap;

/// Both hold pointers into the segments, which they own.
struct Inner(Talc<Segments, DefaultBinning>, Depot);

// SAFETY: the segments that the pointers lead to belong to the allocator alone, and any CPU may use
// it under the lock.
unsafe impl Send for Inner {}

#[used]
static HEAP: IrqMutex<Inner> = IrqMutex::new(Inner(Talc::new(Segments::new()), Depot::new()));
#[used]
static FAILURES: AtomicUsize = AtomicUsize::new(0);

/// What the heap holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeapStatistics {
    /// Bytes that are allocated, small allocations rounded up to the size of their class.
    pub used: usize,
    /// Bytes of free blocks that are kept at hand.
    pub at_hand: usize,
    /// Bytes that the heap has mapped.
    pub mapped: usize,
    /// Allocations that have failed since boot.
    pub failures: usize,
}

/// What the heap holds.
#[must_use]
pub fn statistics() -> HeapStatistics {
    let heap = HEAP.lock();
    let at_hand = heap.1.bytes().saturating_add(magazines::bytes_at_hand());
    HeapStatistics {
        used: heap.0.source.used.saturating_sub(at_hand),
        at_hand,
        mapped: heap.0.source.mapped,
        failures: FAILURES.load(Ordering::Relaxed),
    }
}

/// Bytes that an allocation of `size` bytes takes.
#[must_use]
pub fn allocated_size(size: usize) -> usize {
    match Layout::from_size_align(size, align_of::<u64>()) {
        Err(_) => size,
        Ok(_) if size == 0 => 0,
        Ok(layout) => match Class::of(layout) {
            Some(class) => class.layout().size(),
            None if segments::is_large(layout) => to_usize(segments::large_range(0, layout).len()),
            None => size,
        },
    }
}

/// Maps the first segment.
pub(crate) fn grow_first() -> Result<(), MappingError> {
    add(segments::map(Layout::new::<u64>())?);
    Ok(())
}

// SAFETY: `allocate` answers with memory that fits the layout and that nobody else has, or null;
// the allocator keeps it apart until it is given back.
unsafe impl GlobalAlloc for Heap {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if let Some(class) = Class::of(layout) {
            return match magazines::take(class) {
                Some(block) => block.as_ptr(),
                None => refill(class),
            };
        }
        // SAFETY: the caller promises a size above 0.
        unsafe { allocate_other(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if let Some(class) = Class::of(layout) {
            // SAFETY: what `alloc` gave is not null.
            let block = unsafe { NonNull::new_unchecked(pointer) };
            // SAFETY: the caller gives up what `alloc` gave for this layout, a block of the class.
            if !unsafe { magazines::put(class, block) } {
                // SAFETY: as above; it was not taken.
                unsafe { unload(class, block) };
            }
            return;
        }
        // SAFETY: the caller gives up what `alloc` gave for this layout.
        unsafe { free_other(pointer, layout) };
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's promises for `realloc` cover those of this function.
        if unsafe { resize_in_place(pointer, layout, new_size) } {
            return pointer;
        }
        let Ok(new) = Layout::from_size_align(new_size, layout.align()) else {
            return ptr::null_mut();
        };
        // SAFETY: the caller promises a new size above 0.
        let moved = unsafe { self.alloc(new) };
        if moved.is_null() {
            return moved;
        }
        // SAFETY: both are valid for the smaller size, and the new one is nobody else's.
        unsafe { ptr::copy_nonoverlapping(pointer, moved, layout.size().min(new_size)) };
        // SAFETY: the caller gives the old memory up.
        unsafe { self.dealloc(pointer, layout) };
        moved
    }
}

/// Allocates what is no block of a class.
///
/// # Safety
///
/// The layout's size must not be 0.
#[inline(never)]
unsafe fn allocate_other(layout: Layout) -> *mut u8 {
    // SAFETY: as the caller promises.
    unsafe { allocate(layout) }.map_or(ptr::null_mut(), NonNull::as_ptr)
}

/// Frees what is no block of a class.
///
/// # Safety
///
/// `pointer` must have been allocated for this layout, and be given up.
#[inline(never)]
unsafe fn free_other(pointer: *mut u8, layout: Layout) {
    if segments::is_large(layout) {
        // SAFETY: as the caller promises.
        unsafe { free_large(pointer, layout) };
    } else {
        // SAFETY: as the caller promises.
        unsafe { deallocate(pointer, layout) };
    }
}

/// A block of a class of which this CPU has none loaded.
#[cold]
#[inline(never)]
fn refill(class: Class) -> *mut u8 {
    let block = magazines::take_spare(class).or_else(|| {
        let full = HEAP.lock().1.take(class);
        let mut chain = full.unwrap_or_else(|| fill(class));
        // SAFETY: blocks have a size above 0.
        let block = chain.pop().or_else(|| unsafe { allocate(class.layout()) });
        store(class, magazines::exchange(class, chain));
        block
    });
    block.map_or(ptr::null_mut(), NonNull::as_ptr)
}

/// A magazine of blocks from what is mapped: as full as can be.
fn fill(class: Class) -> Chain {
    let layout = class.layout();
    let mut chain = Chain::empty();
    let mut heap = HEAP.lock();
    while chain.length() < class.magazine() {
        // SAFETY: blocks have a size above 0.
        let Some(block) = (unsafe { heap.0.try_allocate(layout) }) else {
            break;
        };
        heap.0.source.used += layout.size();
        // SAFETY: the block is fresh and large enough.
        unsafe { chain.push(block) };
    }
    chain
}

/// Frees a block of a class of which this CPU has enough loaded.
///
/// # Safety
///
/// `block` must be a block of the class, and given up.
#[cold]
#[inline(never)]
unsafe fn unload(class: Class, block: NonNull<u8>) {
    magazines::join();
    let mut chain = Chain::empty();
    // SAFETY: as the caller promises.
    unsafe { chain.push(block) };
    store(class, magazines::exchange(class, chain));
}

/// Puts free blocks into the depot, or gives them back to the allocator behind.
#[cold]
fn store(class: Class, chain: Chain) {
    if chain.is_empty() {
        return;
    }
    let Err(mut chain) = HEAP.lock().1.put(class, chain) else {
        return;
    };
    while let Some(block) = chain.pop() {
        // SAFETY: blocks are allocated with their class's layout, and this one is free.
        unsafe { deallocate(block.as_ptr(), class.layout()) };
    }
}

/// # Safety
///
/// `pointer` must come from `allocate` for this layout, and be given up.
unsafe fn deallocate(pointer: *mut u8, layout: Layout) {
    let mut heap = HEAP.lock();
    heap.0.source.used -= layout.size();
    // SAFETY: as the caller promises.
    unsafe { heap.0.deallocate(pointer, layout) };
    let free = heap.0.source.take_free();
    drop(heap);
    if let Some(segment) = free {
        // SAFETY: all of the segment is free, and the allocator has just dropped it.
        unsafe { segments::unmap(segment) };
    }
}

/// # Safety
///
/// The layout's size must not be 0.
unsafe fn allocate(layout: Layout) -> Option<NonNull<u8>> {
    if segments::is_large(layout) {
        return allocate_large(layout);
    }
    loop {
        let mut heap = HEAP.lock();
        // SAFETY: as the caller promises.
        if let Some(pointer) = unsafe { heap.0.try_allocate(layout) } {
            heap.0.source.used += layout.size();
            return Some(pointer);
        }
        drop(heap);
        // Whether another task uses up what is mapped here before we do is no matter: each turn
        // takes memory, so the turns end.
        let Ok(segment) = segments::map(layout) else {
            FAILURES.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        add(segment);
    }
}

fn allocate_large(layout: Layout) -> Option<NonNull<u8>> {
    let Ok(pages) = segments::map_large(layout) else {
        FAILURES.fetch_add(1, Ordering::Relaxed);
        return None;
    };
    let mut heap = HEAP.lock();
    heap.0.source.mapped += to_usize(pages.len());
    heap.0.source.used += layout.size();
    NonNull::new(pages.start as *mut u8)
}

/// # Safety
///
/// `pointer` must come from `allocate_large` for this layout, and be given up.
unsafe fn free_large(pointer: *mut u8, layout: Layout) {
    let pages = segments::large_range(pointer.addr() as u64, layout);
    let mut heap = HEAP.lock();
    heap.0.source.mapped -= to_usize(pages.len());
    heap.0.source.used -= layout.size();
    drop(heap);
    // SAFETY: these are the pages that `map_large` gave away for it, and the caller gives them up.
    unsafe { segments::unmap(pages) };
}

/// # Safety
///
/// `pointer` must have been allocated for `layout`, and `new_size` must not be 0.
unsafe fn resize_in_place(pointer: *mut u8, layout: Layout, new_size: usize) -> bool {
    let Ok(new) = Layout::from_size_align(new_size, layout.align()) else {
        return false;
    };
    match (Class::of(layout), Class::of(new)) {
        (None, None) => {}
        (old, new) => return old == new,
    }
    match (segments::is_large(layout), segments::is_large(new)) {
        (false, false) => {}
        (true, true) => return resize_within_pages(layout, new),
        _ => return false,
    }
    let mut heap = HEAP.lock();
    // SAFETY: as the caller promises.
    let done = unsafe { heap.0.try_realloc_in_place(pointer, layout, new_size) };
    if done {
        let used = heap.0.source.used - layout.size() + new_size;
        heap.0.source.used = used;
    }
    done
}

/// Whether the pages that hold `layout` are those that hold `new`; if so, they do from now on.
fn resize_within_pages(layout: Layout, new: Layout) -> bool {
    let fits = segments::large_range(0, layout) == segments::large_range(0, new);
    if fits {
        let mut heap = HEAP.lock();
        let used = heap.0.source.used - layout.size() + new.size();
        heap.0.source.used = used;
    }
    fits
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "usize has 64 bits on this machine"
)]
const fn to_usize(bytes: u64) -> usize {
    bytes as usize
}

fn add(segment: VirtualRange) {
    let (base, bytes) = (segment.start as *mut u8, to_usize(segment.len()));
    let mut heap = HEAP.lock();
    heap.0.source.mapped += bytes;
    // SAFETY: the segment has just been mapped, writable, for the heap alone, for as long as the
    // allocator keeps it.
    let end = unsafe { heap.0.claim(base, bytes) };
    if end.is_none() {
        heap.0.source.mapped -= bytes; // Too small for the allocator, which no segment is.
    }
}
