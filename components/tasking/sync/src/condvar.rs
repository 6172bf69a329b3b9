//! A condition variable.

use core::{fmt, time::Duration};
use mutex::MutexGuard;
use wait_queue::WaitQueue;

/// Where tasks wait for a change of what a mutex protects.
///
/// A wait may end without a change, so its caller looks again; [`Condvar::wait_while`] does that.
#[derive(Default)]
pub struct Condvar {
    queue: WaitQueue,
}

impl Condvar {
    /// A variable that nobody waits for.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            queue: WaitQueue::new(),
        }
    }

    /// Releases the mutex, waits, and takes the mutex again. A safe point: a task that is killed here
    /// does not hold the mutex.
    pub fn wait<'a, T: ?Sized>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.wait_until(guard, None)
    }

    /// As [`Condvar::wait`], again as long as `condition` holds.
    pub fn wait_while<'a, T: ?Sized>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> MutexGuard<'a, T> {
        while condition(&mut guard) {
            guard = self.wait(guard);
        }
        guard
    }

    /// As [`Condvar::wait`], for `timeout` at most.
    pub fn wait_timeout<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        timeout: Duration,
    ) -> MutexGuard<'a, T> {
        self.wait_until(guard, Some(wait_queue::deadline_ns(timeout)))
    }

    fn wait_until<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        deadline_ns: Option<u64>,
    ) -> MutexGuard<'a, T> {
        let mutex = guard.mutex();
        // Read under the mutex: whoever changes the value after that wakes after that.
        let seen = self.queue.now();
        drop(guard);
        if self.queue.sleep(seen, deadline_ns).is_err() {
            // To the caller that is a wait which ended without a change.
            task::stand_still();
        }
        mutex.lock()
    }

    /// Ends one task's wait. May be called from an interrupt handler.
    pub fn notify_one(&self) {
        self.queue.wake_one();
    }

    /// Ends the wait of all. May be called from an interrupt handler.
    pub fn notify_all(&self) {
        self.queue.wake_all();
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar")
            .field("has_waiters", &self.queue.has_waiters())
            .finish()
    }
}
