//! Free blocks at hand: each CPU has some of each class, so that most allocations take no lock, and
//! a depot behind the heap's lock has more.
//!
//! The scheme is that of magazines and a depot (Bonwick and Adams, "Magazines and Vmem", USENIX
//! 2001): a CPU has two magazines of a class, and moves a whole one to or from the depot when both
//! are full or empty, so that no pattern of allocations makes it do so each time.
//!
//! A CPU's magazines are used by tasks only, with preemption off. While an interrupt handler is
//! active the CPU has none, so a handler that allocates goes to the lock, and interrupts stay on.

use crate::class::{CLASSES, Class};
use core::{
    ptr::{self, NonNull},
    sync::atomic::{AtomicPtr, AtomicUsize, Ordering},
};
use cpu::{CpuId, PreemptionGuard};

/// CPUs with magazines; a further one goes to the lock each time.
const MAX_CPUS: usize = 64;

/// Full magazines of a class that the depot keeps.
const DEPOT: usize = 4;

/// A free block. All blocks are at least this large.
#[repr(C)]
pub(crate) struct Block {
    /// The next block of the chain.
    next: *mut Block,
    /// Number of blocks in the chain from here on; in the depot, for the first block of a magazine,
    /// the address of the next magazine.
    length: usize,
}

/// What every chain ends with, so that even an empty one has a length to look at.
struct End(Block);

// SAFETY: nobody writes it, and its pointer leads nowhere.
unsafe impl Sync for End {}

static END: End = End(Block {
    next: ptr::null_mut(),
    length: 0,
});

/// Free blocks of one class, each linked to the next.
#[derive(Debug)]
pub(crate) struct Chain {
    first: *mut Block,
}

impl Chain {
    #[inline]
    pub(crate) fn empty() -> Self {
        Self {
            first: (&raw const END.0).cast_mut(),
        }
    }

    /// Adds a block.
    ///
    /// # Safety
    ///
    /// `block` must be free memory of at least a [`Block`], aligned for one, and given up.
    #[inline]
    pub(crate) unsafe fn push(&mut self, block: NonNull<u8>) {
        let block = block.cast::<Block>().as_ptr();
        let value = Block {
            next: self.first,
            length: self.length().wrapping_add(1),
        };
        // SAFETY: the caller gives the memory up.
        unsafe { block.write(value) };
        self.first = block;
    }

    /// Takes a block out.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<NonNull<u8>> {
        if self.is_empty() {
            return None;
        }
        let block = self.first;
        // SAFETY: blocks in a chain are free memory that only the chain uses.
        self.first = unsafe { (*block).next };
        NonNull::new(block.cast())
    }

    /// Number of blocks.
    #[inline]
    pub(crate) fn length(&self) -> usize {
        // SAFETY: blocks in a chain are free memory that only the chain uses, and its end is static.
        unsafe { (*self.first).length }
    }

    /// Whether `block` is in the chain.
    pub(crate) fn contains(&self, block: NonNull<u8>) -> bool {
        let mut rest = self.first;
        for _ in 0..self.length() {
            if ptr::eq(rest.cast(), block.as_ptr()) {
                return true;
            }
            // SAFETY: blocks in a chain are free memory that only the chain uses, and its end is static.
            rest = unsafe { (*rest).next };
        }
        false
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.length() == 0
    }
}

/// The first block of a chain. Only its CPU writes it.
struct Slot(AtomicPtr<Block>);

impl Slot {
    const fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    #[inline]
    fn get(&self) -> Chain {
        Chain {
            first: self.0.load(Ordering::Relaxed),
        }
    }

    #[inline]
    fn set(&self, chain: Chain) {
        self.0.store(chain.first, Ordering::Relaxed);
    }
}

/// A CPU's blocks of one class.
pub(crate) struct Magazines {
    /// Where blocks come from and go to.
    loaded: Slot,
    /// Full or empty.
    spare: Slot,
    /// Blocks of a full magazine.
    capacity: AtomicUsize,
}

/// A CPU's blocks; all chains have their ends since [`join`].
struct Share([Magazines; CLASSES]);

#[used]
static SHARES: [Share; MAX_CPUS] = [const {
    Share(
        [const {
            Magazines {
                loaded: Slot::new(),
                spare: Slot::new(),
                capacity: AtomicUsize::new(0),
            }
        }; CLASSES],
    )
}; MAX_CPUS];

/// The blocks of this CPU; none in an interrupt handler, and before the CPU has its share.
#[inline]
fn here(_: &PreemptionGuard, class: Class) -> Option<&'static Magazines> {
    let share = ptr::with_exposed_provenance::<Share>(cpu::heap_word());
    // SAFETY: the word is 0 or the address of a share, which `join` has put there.
    let share = unsafe { share.as_ref() }?;
    // SAFETY: the offset is that of one of the share's entries.
    let entry = unsafe { ptr::from_ref(&share.0).byte_add(class.offset()) };
    // SAFETY: as above; the share lives as long as the system.
    Some(unsafe { &*entry.cast() })
}

/// Whether `block` is among the free blocks of this CPU's share, or of one that its CPU has left because an
/// exception is being unwound: the task may be on another CPU by now than the one that it was hit on. Such a
/// share stays as it is until the unwinding is over.
pub(crate) fn holds(class: Class, block: NonNull<u8>) -> bool {
    let _here = PreemptionGuard::new();
    let me = cpu::current_cpu();
    let mut shares = (0..).map(CpuId).zip(&SHARES);
    shares.any(|(cpu, share)| {
        let left = || cpu::local_of(cpu).is_some_and(|it| it.heap_left.load(Ordering::SeqCst));
        (cpu == me || left()) && share.holds(class, block)
    })
}

impl Share {
    fn holds(&self, class: Class, block: NonNull<u8>) -> bool {
        let Some(magazines) = self.0.get(class.index()) else {
            return false;
        };
        // Before the CPU has joined, the slots lead nowhere.
        magazines.capacity.load(Ordering::Relaxed) > 0
            && (magazines.loaded.get().contains(block) || magazines.spare.get().contains(block))
    }
}

/// Gives this CPU its share, unless it has one or is in an interrupt handler, or a fault is being unwound.
pub(crate) fn join() {
    let _here = PreemptionGuard::new();
    let local = cpu::local();
    let has_one = local.heap.load(Ordering::Relaxed) != 0;
    if has_one || local.interrupt_nesting.load(Ordering::Relaxed) != 0 || cpu::is_memory_suspect() {
        return;
    }
    let index = usize::try_from(local.id().0).unwrap_or(usize::MAX);
    let Some(share) = SHARES.get(index) else {
        return;
    };
    // Either who unwinds an exception from now on finds the share in use, or this sees that one does.
    local.heap_left.store(false, Ordering::SeqCst);
    if cpu::is_memory_suspect() {
        local.heap_left.store(true, Ordering::SeqCst);
        return;
    }
    for (magazines, class) in share.0.iter().zip(Class::all()) {
        if magazines.capacity.load(Ordering::Relaxed) > 0 {
            continue; // It had stepped aside.
        }
        let capacity = class.magazine();
        magazines.capacity.store(capacity, Ordering::Relaxed);
        magazines.loaded.set(Chain::empty());
        magazines.spare.set(Chain::empty());
    }
    let address = ptr::from_ref(share).expose_provenance();
    local.heap.store(address, Ordering::Relaxed);
}

/// Takes a block that is at hand.
#[inline]
pub(crate) fn take(class: Class) -> Option<NonNull<u8>> {
    let guard = PreemptionGuard::new();
    let magazines = here(&guard, class)?;
    let mut loaded = magazines.loaded.get();
    let block = loaded.pop()?;
    magazines.loaded.set(loaded);
    Some(block)
}

/// Takes a block of the spare magazine, which is loaded now.
pub(crate) fn take_spare(class: Class) -> Option<NonNull<u8>> {
    let guard = PreemptionGuard::new();
    let magazines = here(&guard, class)?;
    let mut full = magazines.spare.get();
    if !magazines.loaded.get().is_empty() {
        return None; // Another task has been here; the caller looks elsewhere.
    }
    let block = full.pop()?;
    magazines.spare.set(Chain::empty());
    magazines.loaded.set(full);
    Some(block)
}

/// Keeps a free block at hand, if there is room; whether there was.
///
/// # Safety
///
/// `block` must be a block of the class, and given up if there was room.
#[inline]
pub(crate) unsafe fn put(class: Class, block: NonNull<u8>) -> bool {
    let guard = PreemptionGuard::new();
    let Some(magazines) = here(&guard, class) else {
        return false;
    };
    let mut loaded = magazines.loaded.get();
    if loaded.length() >= magazines.capacity.load(Ordering::Relaxed) {
        return false;
    }
    // SAFETY: as the caller promises.
    unsafe { loaded.push(block) };
    magazines.loaded.set(loaded);
    true
}

/// Loads `chain`, keeps what was loaded as the spare magazine, and returns what was that.
pub(crate) fn exchange(class: Class, chain: Chain) -> Chain {
    let guard = PreemptionGuard::new();
    let Some(magazines) = here(&guard, class) else {
        return chain;
    };
    let before = magazines.spare.get();
    magazines.spare.set(magazines.loaded.get());
    magazines.loaded.set(chain);
    before
}

/// Bytes in blocks that this CPU has at hand.
pub(crate) fn bytes_at_hand() -> usize {
    let guard = PreemptionGuard::new();
    let of_class = |class: Class| {
        let blocks = here(&guard, class).map_or(0, |magazines| {
            magazines.loaded.get().length() + magazines.spare.get().length()
        });
        blocks * class.layout().size()
    };
    Class::all().map(of_class).sum()
}

/// Full magazines of all classes.
#[derive(Debug)]
pub(crate) struct Depot {
    classes: [Stack; CLASSES],
}

/// Magazines of a class.
#[derive(Debug)]
struct Stack {
    first: *mut Block,
    length: usize,
}

impl Depot {
    pub(crate) const fn new() -> Self {
        Self {
            classes: [const {
                Stack {
                    first: ptr::null_mut(),
                    length: 0,
                }
            }; CLASSES],
        }
    }

    /// Takes a magazine out.
    pub(crate) fn take(&mut self, class: Class) -> Option<Chain> {
        let stack = self.classes.get_mut(class.index())?;
        let first = NonNull::new(stack.first)?.as_ptr();
        // SAFETY: the blocks of a magazine in the depot are free memory that only the depot uses.
        let block = unsafe { &mut *first };
        stack.first = ptr::with_exposed_provenance_mut(block.length);
        stack.length -= 1;
        block.length = class.magazine();
        Some(Chain { first })
    }

    /// Whether `block` is in one of its magazines.
    pub(crate) fn contains(&self, class: Class, block: NonNull<u8>) -> bool {
        let Some(stack) = self.classes.get(class.index()) else {
            return false;
        };
        let mut magazine = stack.first;
        for _ in 0..stack.length {
            let mut rest = magazine;
            for _ in 0..class.magazine() {
                if ptr::eq(rest.cast(), block.as_ptr()) {
                    return true;
                }
                // SAFETY: the blocks of a magazine in the depot are free memory that only the depot uses.
                rest = unsafe { (*rest).next };
            }
            // SAFETY: as above; the first block has the address of the next magazine.
            magazine = ptr::with_exposed_provenance_mut(unsafe { (*magazine).length });
        }
        false
    }

    /// Keeps a full magazine, unless there are enough of them or it is not full.
    pub(crate) fn put(&mut self, class: Class, chain: Chain) -> Result<(), Chain> {
        let full = chain.length() == class.magazine();
        let Some(stack) = self.classes.get_mut(class.index()) else {
            return Err(chain);
        };
        if !full || stack.length >= DEPOT {
            return Err(chain);
        }
        // SAFETY: the chain is not empty, and its blocks are free memory that only it uses.
        let first = unsafe { &mut *chain.first };
        first.length = stack.first.expose_provenance();
        stack.first = chain.first;
        stack.length += 1;
        Ok(())
    }

    /// Bytes in its blocks.
    pub(crate) fn bytes(&self) -> usize {
        let of_class = |(stack, class): (&Stack, Class)| {
            stack.length * class.magazine() * class.layout().size()
        };
        self.classes.iter().zip(Class::all()).map(of_class).sum()
    }
}
