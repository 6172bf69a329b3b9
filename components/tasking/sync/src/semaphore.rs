//! A counting semaphore.

use crate::permits::Permits;
use core::{fmt, time::Duration};
use task::Kicked;
use wait_queue::WaitQueue;

/// A number of permits.
pub struct Semaphore {
    permits: Permits,
    queue: WaitQueue,
}

impl Semaphore {
    /// A semaphore with so many permits.
    #[must_use]
    pub const fn new(permits: usize) -> Self {
        Self {
            permits: Permits::new(permits),
            queue: WaitQueue::new(),
        }
    }

    /// Waits for a permit and takes it; dropping it gives it back. A safe point if it has to wait.
    pub fn acquire(&self) -> Permit<'_> {
        match self.try_acquire() {
            Some(permit) => permit,
            None => self.queue.wait_for(|| self.try_acquire()),
        }
    }

    /// As [`Semaphore::acquire`].
    ///
    /// # Errors
    ///
    /// When the task is on hold and would have to wait.
    pub fn acquire_kickable(&self) -> Result<Permit<'_>, Kicked> {
        self.queue.wait_for_kickable(|| self.try_acquire())
    }

    /// As [`Semaphore::acquire`], for `timeout` at most; `None` when that was not long enough.
    pub fn acquire_timeout(&self, timeout: Duration) -> Option<Permit<'_>> {
        self.queue.wait_timeout(timeout, || self.try_acquire())
    }

    /// Takes a permit if there is one. May be called from an interrupt handler.
    pub fn try_acquire(&self) -> Option<Permit<'_>> {
        // Not `then_some`, which would make a permit, and drop it, in any case.
        self.permits.take().then(|| Permit { semaphore: self })
    }

    /// Adds a permit. May be called from an interrupt handler.
    pub fn release(&self) {
        self.permits.add();
        self.queue.wake_one();
    }

    /// How many permits there are now.
    #[must_use]
    pub fn permits(&self) -> usize {
        self.permits.count()
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("permits", &self.permits())
            .finish_non_exhaustive()
    }
}

/// A permit. Dropping it gives it back.
#[must_use]
#[derive(Debug)]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
}

impl Permit<'_> {
    /// Uses the permit up: it does not come back.
    pub fn forget(self) {
        core::mem::forget(self);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.semaphore.release();
    }
}
