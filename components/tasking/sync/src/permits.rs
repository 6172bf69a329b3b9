//! The word of a semaphore.

use crate::atomic::{AtomicUsize, Ordering};

/// A number of permits.
pub(crate) struct Permits(AtomicUsize);

impl Permits {
    pub(crate) const fn new(count: usize) -> Self {
        Self(AtomicUsize::new(count))
    }

    /// Takes one; whether there was one.
    pub(crate) fn take(&self) -> bool {
        let less = |count: usize| count.checked_sub(1);
        self.0
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less)
            .is_ok()
    }

    /// Adds one.
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}
