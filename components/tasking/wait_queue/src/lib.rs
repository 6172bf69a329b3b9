//! Queues of tasks that wait for a condition.
//!
//! Who waits looks at its condition itself, again after every wake-up; who makes a condition true
//! wakes the queue afterwards. A wake-up between the look and the block is not lost: each one counts
//! up a number, and a task that has looked goes to sleep only if the number is still what it was
//! before the look. So the condition runs without any lock held and may do what it likes.
//!
//! Waking allocates nothing and never blocks: interrupt handlers do it. Waiting is a safe point: a
//! task that is killed while it waits leaves the queue and unwinds.
//!
//! Neighbours: `task` gives the links and the blocking; locks, channels and drivers wait here.
#![no_std]
#![forbid(unsafe_code)]

use core::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use cpu::IrqMutex;
use task::WaitList;

/// A queue of tasks that wait.
pub struct WaitQueue {
    /// Counts the wake-ups.
    wake_ups: AtomicU64,
    waiting: IrqMutex<WaitList>,
}

impl WaitQueue {
    /// A queue in which nobody waits.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            wake_ups: AtomicU64::new(0),
            waiting: IrqMutex::new(WaitList::new()),
        }
    }

    /// Waits until `condition` is true. A safe point.
    pub fn wait(&self, mut condition: impl FnMut() -> bool) {
        self.wait_for(|| condition().then_some(()));
    }

    /// Waits until `condition` gives a value, and returns that. A safe point.
    pub fn wait_for<T>(&self, mut condition: impl FnMut() -> Option<T>) -> T {
        loop {
            let seen = self.wake_ups.load(Ordering::SeqCst);
            if let Some(value) = condition() {
                return value;
            }
            self.sleep(seen, None);
        }
    }

    /// Waits until `condition` gives a value, for `timeout` at most; `None` when that was not long
    /// enough. A safe point.
    pub fn wait_timeout<T>(
        &self,
        timeout: Duration,
        mut condition: impl FnMut() -> Option<T>,
    ) -> Option<T> {
        let nanoseconds = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
        let deadline_ns = task::now_ns().saturating_add(nanoseconds);
        loop {
            let seen = self.wake_ups.load(Ordering::SeqCst);
            if let Some(value) = condition() {
                return Some(value);
            }
            if task::now_ns() >= deadline_ns {
                return None;
            }
            self.sleep(seen, Some(deadline_ns));
        }
    }

    /// Wakes the task that has waited longest. May be called from an interrupt handler.
    pub fn wake_one(&self) {
        let woken = {
            let mut waiting = self.waiting.lock();
            self.wake_ups.fetch_add(1, Ordering::SeqCst);
            waiting.pop_front()
        };
        if let Some(task) = woken {
            task.unblock();
        }
    }

    /// Wakes all tasks that wait. May be called from an interrupt handler.
    pub fn wake_all(&self) {
        let mut woken = {
            let mut waiting = self.waiting.lock();
            self.wake_ups.fetch_add(1, Ordering::SeqCst);
            core::mem::take(&mut *waiting)
        };
        while let Some(task) = woken.pop_front() {
            task.unblock();
        }
    }

    /// Whether somebody waits.
    #[must_use]
    pub fn has_waiters(&self) -> bool {
        !self.waiting.lock().is_empty()
    }

    /// Blocks until the next wake-up, unless there was one since `seen` was read.
    fn sleep(&self, seen: u64, deadline_ns: Option<u64>) {
        task::safe_point();
        let Some(me) = task::current() else {
            // Before there are tasks only an interrupt can change the condition.
            core::hint::spin_loop();
            return;
        };
        {
            let mut waiting = self.waiting.lock();
            if self.wake_ups.load(Ordering::SeqCst) != seen {
                return;
            }
            // Refused only if the task waits elsewhere, which `sleep` does not let happen.
            let _ = waiting.push_back(me.clone());
        }
        task::block_until(deadline_ns);
        let left = self.waiting.lock().remove(&me);
        if left.is_none() && task::killed() {
            // Somebody woke this task for the condition; it will not look, so the next one must.
            self.wake_one();
        }
        drop(left);
        task::safe_point();
    }
}

impl Default for WaitQueue {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for WaitQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitQueue")
            .field("has_waiters", &self.has_waiters())
            .finish()
    }
}
