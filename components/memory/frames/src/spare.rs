//! Frames at hand for exceptions.
//!
//! A page fault that has to be resolved with a frame (see `mappings`) may have hit anywhere, also code
//! that holds the pool's lock or one that others wait for with the pool's in hand, and also when no
//! memory is left. So each CPU keeps a few frames that it takes without a lock.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use cpu::MAX_CPUS;
use handover::{PhysicalRange, layout::PAGE_SIZE};

use crate::{FrameRange, pool, reserve};

/// Frames that each CPU keeps: enough to unwind four tasks at once that have used up their stacks.
pub const SPARE: usize = 16;

/// What page faults leave free, for the unwinding of those that get none.
const LEFT_FREE: usize = reserve::RESERVE / 2;

/// A CPU's spare frames. Only that CPU uses them, with interrupts off; an exception may come between
/// any two instructions, so each frame is put and taken in one.
struct Spare {
    /// The frames' addresses, or 0.
    frames: [AtomicU64; SPARE],
    /// Whether one is missing.
    wanting: AtomicBool,
}

#[used]
static SPARES: [Spare; MAX_CPUS] = [const {
    Spare {
        frames: [const { AtomicU64::new(0) }; SPARE],
        wanting: AtomicBool::new(true),
    }
}; MAX_CPUS];

fn of_this_cpu() -> Option<&'static Spare> {
    SPARES.get(cpu::current_cpu().index())
}

impl Spare {
    fn take(&self) -> Option<FrameRange> {
        let address = self.frames.iter().find_map(|place| {
            let address = place.swap(0, Ordering::Relaxed);
            (address != 0).then_some(address)
        })?;
        self.wanting.store(true, Ordering::Relaxed);
        let range = PhysicalRange {
            start: address,
            end: address + PAGE_SIZE,
        };
        // SAFETY: `put` has taken the frame from the value that owned it, and it was there only once.
        Some(unsafe { FrameRange::from_raw(range) })
    }

    /// Keeps a frame; gives it back when none is missing.
    fn put(&self, frame: FrameRange) -> Option<FrameRange> {
        let address = frame.start();
        let kept = self.frames.iter().any(|place| {
            place
                .compare_exchange(0, address, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        });
        if !kept {
            return Some(frame);
        }
        let _ = frame.into_raw();
        None
    }
}

/// A frame for a page fault, if there is one. Its contents are left as they are. Interrupts must be off.
///
/// `holds_no_lock` says that the interrupted code had interrupts on, and so holds no lock of the kind that
/// keeps them off: then the frame comes from the pool, else from this CPU's spare ones, as long as there
/// are any.
#[must_use]
pub fn take_in_exception(holds_no_lock: bool) -> Option<FrameRange> {
    let spare = (!holds_no_lock).then(of_this_cpu).flatten();
    let taken = spare.and_then(Spare::take);
    taken.or_else(|| take_from_pool(LEFT_FREE))
}

/// A frame for the end of a task, from anywhere, also when no memory is left. Interrupts must be off.
#[must_use]
pub fn take_last_resort() -> Option<FrameRange> {
    let spare = of_this_cpu().and_then(Spare::take);
    spare.or_else(|| take_from_pool(0))
}

fn take_from_pool(reserve: usize) -> Option<FrameRange> {
    let range = pool::take_in_exception(reserve)?;
    // SAFETY: the frame has just been taken.
    Some(unsafe { FrameRange::from_raw(range) })
}

/// Completes this CPU's spare frames. Interrupts must be off, and the caller hold no lock.
#[inline]
pub fn refill_spare() {
    let Some(spare) = of_this_cpu() else { return };
    if !spare.wanting.load(Ordering::Relaxed) {
        return;
    }
    spare.wanting.store(false, Ordering::Relaxed);
    loop {
        let Some(frame) = take_from_pool(LEFT_FREE) else {
            // Memory is short: later.
            spare.wanting.store(true, Ordering::Relaxed);
            return;
        };
        if let Some(surplus) = spare.put(frame) {
            drop(surplus);
            return;
        }
    }
}

/// Gives a frame back that [`take_in_exception`] or [`take_last_resort`] has given, in the same exception.
pub fn give_back_in_exception(frame: FrameRange) {
    let surplus = match of_this_cpu() {
        Some(spare) => spare.put(frame),
        None => Some(frame),
    };
    if let Some(frame) = surplus {
        pool::give_back_in_exception(frame.into_raw());
    }
}
