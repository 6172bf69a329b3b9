//! Whether what is freed is to be looked at.
//!
//! An exception may hit a function between a move of memory and the note of its new place. The owner of the
//! old one is dropped while the task is unwound, and would free it again. So whoever unwinds says so here, and
//! `heap`, which is above the unwinder in no order, looks.

use core::sync::atomic::{AtomicUsize, Ordering};

use crate::{local, without_interrupts};

/// Unwindings of exceptions that are under way.
#[used]
static UNWINDINGS: AtomicUsize = AtomicUsize::new(0);

/// Whether an exception is being unwound.
#[inline]
#[must_use]
pub fn is_memory_suspect() -> bool {
    UNWINDINGS.load(Ordering::SeqCst) > 0
}

/// An exception is about to be unwound.
pub fn suspect_memory() {
    UNWINDINGS.fetch_add(1, Ordering::SeqCst);
    leave_heap_share();
}

/// Lets this CPU go without its share of the heap if an exception is being unwound, since nobody looks at
/// what comes into it; what is free there stays there. It gets it back from `heap` afterwards.
pub fn leave_heap_share() {
    if is_memory_suspect() {
        without_interrupts(|| {
            let local = local();
            local.heap.store(0, Ordering::Relaxed);
            local.heap_left.store(true, Ordering::SeqCst);
        });
    }
}

/// The unwinding is over.
pub fn trust_memory() {
    let one_less = |count: usize| Some(count.saturating_sub(1));
    // Never fails: the closure always answers.
    let _ = UNWINDINGS.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less);
}
