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

type Arena = Talc<Segments, DefaultBinning>;

/// They hold pointers into the segments, which they own.
///
/// Blocks of a class have segments of their own: those that stay would settle among what is larger
/// and only there for a moment, and keep its segments from being given back.
struct Inner {
    blocks: Arena,
    other: Arena,
    depot: Depot,
    /// Bytes of large allocations, and of the pages that they have.
    large: (usize, usize),
}

impl Inner {
    /// Who serves this layout, if it is not large.
    fn arena(&mut self, layout: Layout) -> &mut Arena {
        match Class::of(layout) {
            Some(_) => &mut self.blocks,
            None => &mut self.other,
        }
    }
}

// SAFETY: the segments that the pointers lead to belong to the allocator alone, and any CPU may use
// it under the lock.
unsafe impl Send for Inner {}

#[used]
static HEAP: IrqMutex<Inner> = IrqMutex::new(Inner {
    blocks: Talc::new(Segments::new()),
    other: Talc::new(Segments::new()),
    depot: Depot::new(),
    large: (0, 0),
});
#[used]
static FAILURES: AtomicUsize = AtomicUsize::new(0);
#[used]
static TWICE: AtomicUsize = AtomicUsize::new(0);

/// How many blocks would have been freed twice, since boot, by what owned them when a fault hit it.
#[must_use]
pub fn freed_twice() -> usize {
    TWICE.load(Ordering::Relaxed)
}

/// What the heap holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeapStatistics {
    /// Bytes that are allocated, small allocations rounded up to the size of their class, and the
    /// free blocks that other CPUs have at hand.
    pub used: usize,
    /// Bytes of free blocks that the depot and this CPU have at hand.
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
    let at_hand = heap
        .depot
        .bytes()
        .saturating_add(magazines::bytes_at_hand());
    let (blocks, other) = (&heap.blocks.source, &heap.other.source);
    HeapStatistics {
        used: (blocks.used + other.used + heap.large.0).saturating_sub(at_hand),
        at_hand,
        mapped: blocks.mapped + other.mapped + heap.large.1,
        failures: FAILURES.load(Ordering::Relaxed),
    }
}

/// What `talc` adds to each allocation, and the step in which it cuts its segments.
const TAG: usize = 8;
const CHUNK: usize = 32;

/// Bytes of mapped memory that an allocation of `size` bytes takes.
#[must_use]
pub fn allocated_size(size: usize) -> usize {
    let chunk = |size: usize| size.saturating_add(TAG).next_multiple_of(CHUNK);
    match Layout::from_size_align(size, align_of::<u64>()) {
        Err(_) => size,
        Ok(_) if size == 0 => 0,
        Ok(layout) => match Class::of(layout) {
            Some(class) => chunk(class.layout().size()),
            None if segments::is_large(layout) => to_usize(segments::large_range(0, layout).len()),
            None => chunk(size),
        },
    }
}

/// Maps the first segment.
pub(crate) fn grow_first() -> Result<(), MappingError> {
    let layout = Layout::new::<u64>();
    add(segments::map(layout)?, layout);
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
        let full = HEAP.lock().depot.take(class);
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
        let Some(block) = (unsafe { heap.blocks.try_allocate(layout) }) else {
            break;
        };
        heap.blocks.source.used += layout.size();
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
    if cpu::is_memory_suspect() && is_free(class, block) {
        TWICE.fetch_add(1, Ordering::Relaxed);
        return;
    }
    magazines::join();
    let mut chain = Chain::empty();
    // SAFETY: as the caller promises.
    unsafe { chain.push(block) };
    store(class, magazines::exchange(class, chain));
}

/// Whether `block` is free already: a fault between a move of memory and the note of its new place leaves an
/// owner of the old one, whose drop would free it again.
fn is_free(class: Class, block: NonNull<u8>) -> bool {
    magazines::holds(class, block) || HEAP.lock().depot.contains(class, block)
}

/// Puts free blocks into the depot, or gives them back to the allocator behind.
#[cold]
fn store(class: Class, chain: Chain) {
    if chain.is_empty() {
        return;
    }
    let Err(mut chain) = HEAP.lock().depot.put(class, chain) else {
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
    let arena = heap.arena(layout);
    arena.source.used -= layout.size();
    // SAFETY: as the caller promises.
    unsafe { arena.deallocate(pointer, layout) };
    let free = arena.source.take_free();
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
        let arena = heap.arena(layout);
        // SAFETY: as the caller promises.
        if let Some(pointer) = unsafe { arena.try_allocate(layout) } {
            arena.source.used += layout.size();
            return Some(pointer);
        }
        drop(heap);
        // Whether another task uses up what is mapped here before we do is no matter: each turn
        // takes memory, so the turns end.
        let Ok(segment) = segments::map(layout) else {
            FAILURES.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        add(segment, layout);
    }
}

fn allocate_large(layout: Layout) -> Option<NonNull<u8>> {
    let Ok(pages) = segments::map_large(layout) else {
        FAILURES.fetch_add(1, Ordering::Relaxed);
        return None;
    };
    let mut heap = HEAP.lock();
    heap.large.0 += layout.size();
    heap.large.1 += to_usize(pages.len());
    NonNull::new(pages.start as *mut u8)
}

/// # Safety
///
/// `pointer` must come from `allocate_large` for this layout, and be given up.
unsafe fn free_large(pointer: *mut u8, layout: Layout) {
    let pages = segments::large_range(pointer.addr() as u64, layout);
    let mut heap = HEAP.lock();
    heap.large.0 -= layout.size();
    heap.large.1 -= to_usize(pages.len());
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
    let done = unsafe { heap.other.try_realloc_in_place(pointer, layout, new_size) };
    if done {
        let used = heap.other.source.used - layout.size() + new_size;
        heap.other.source.used = used;
    }
    done
}

/// Whether the pages that hold `layout` are those that hold `new`; if so, they do from now on.
fn resize_within_pages(layout: Layout, new: Layout) -> bool {
    let fits = segments::large_range(0, layout) == segments::large_range(0, new);
    if fits {
        let mut heap = HEAP.lock();
        heap.large.0 = heap.large.0 - layout.size() + new.size();
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

fn add(segment: VirtualRange, layout: Layout) {
    let (base, bytes) = (segment.start as *mut u8, to_usize(segment.len()));
    let mut heap = HEAP.lock();
    let arena = heap.arena(layout);
    arena.source.mapped += bytes;
    // SAFETY: the segment has just been mapped, writable, for the heap alone, for as long as the
    // allocator keeps it.
    let end = unsafe { arena.claim(base, bytes) };
    if end.is_none() {
        arena.source.mapped -= bytes; // Too small for the allocator, which no segment is.
    }
}
