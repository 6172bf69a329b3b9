//! Queues of those who wait for a condition.
//!
//! [`Waiters`] is the queue itself, for who keeps it together with the condition under a lock, as a
//! channel does. [`WaitQueue`] is for conditions under no lock or another one: who waits looks at its
//! condition itself, again after every wake-up, and who makes a condition true wakes the queue
//! afterwards. A wake-up between the look and the block is not lost: each one counts up a number, and a
//! task that has looked goes to sleep only if the number is still what it was before the look.
//!
//! Principles: a task that blocks allocates nothing, since its link lies in it; neither does waking,
//! which never blocks: interrupt handlers do it. Who waits without blocking a task of its own (a
//! future, a look at several queues at once) brings a [`task::Waiter`]. A wake-up is for one look at the
//! condition: who was chosen and cannot look, because it is killed, unwound or kicked, hands it on. So
//! nothing that can wait is ever inside the queue, and no value ever belongs to somebody who waits.
//!
//! Waiting is a safe point: a task that is killed while it waits leaves the queue and unwinds. It can
//! be kicked ([`task::Hold`]): the `_kickable` forms return, the others are begun again.
//!
//! Neighbours: `task` gives the links and the blocking; locks, channels and drivers wait here.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod waiters;

pub use waiters::{Chosen, Waiters};

use core::{
    fmt,
    sync::atomic::{AtomicBool, AtomicU64, Ordering, fence},
    time::Duration,
};
use cpu::IrqMutex;
use task::{Kicked, Task};

/// A queue of those who wait.
pub struct WaitQueue {
    /// Counts the wake-ups.
    wake_ups: AtomicU64,
    /// Whether somebody may be in the queue: a wake-up of nobody takes no lock.
    occupied: AtomicBool,
    waiting: IrqMutex<Waiters>,
}

/// A moment in the life of a queue: what [`WaitQueue::sleep`] sees wake-ups since.
#[derive(Clone, Copy, Debug)]
pub struct Moment(u64);

impl WaitQueue {
    /// A queue in which nobody waits.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            wake_ups: AtomicU64::new(0),
            occupied: AtomicBool::new(false),
            waiting: IrqMutex::new(Waiters::new()),
        }
    }

    /// Waits until `condition` is true. A safe point.
    pub fn wait(&self, mut condition: impl FnMut() -> bool) {
        self.wait_for(|| condition().then_some(()));
    }

    /// Waits until `condition` gives a value, and returns that. A safe point.
    pub fn wait_for<T>(&self, mut condition: impl FnMut() -> Option<T>) -> T {
        task::restart(|| self.wait_for_kickable(&mut condition))
    }

    /// As [`WaitQueue::wait_for`].
    ///
    /// # Errors
    ///
    /// When the task is on hold and would have to wait.
    pub fn wait_for_kickable<T>(
        &self,
        mut condition: impl FnMut() -> Option<T>,
    ) -> Result<T, Kicked> {
        loop {
            let seen = self.now();
            if let Some(value) = condition() {
                return Ok(value);
            }
            self.sleep(seen, None)?;
        }
    }

    /// Waits until `condition` gives a value, for `timeout` at most; `None` when that was not long
    /// enough. A safe point.
    pub fn wait_timeout<T>(
        &self,
        timeout: Duration,
        mut condition: impl FnMut() -> Option<T>,
    ) -> Option<T> {
        let deadline_ns = deadline_ns(timeout);
        task::restart(|| self.wait_until_kickable(deadline_ns, &mut condition))
    }

    /// As [`WaitQueue::wait_timeout`], with the time at which waiting ends.
    ///
    /// # Errors
    ///
    /// When the task is on hold and would have to wait.
    pub fn wait_until_kickable<T>(
        &self,
        deadline_ns: u64,
        mut condition: impl FnMut() -> Option<T>,
    ) -> Result<Option<T>, Kicked> {
        loop {
            let seen = self.now();
            if let Some(value) = condition() {
                return Ok(Some(value));
            }
            if task::now_ns() >= deadline_ns {
                return Ok(None);
            }
            self.sleep(seen, Some(deadline_ns))?;
        }
    }

    /// Wakes the one that has waited longest. May be called from an interrupt handler.
    pub fn wake_one(&self) {
        if self.count_wake_up() {
            let chosen = {
                let mut waiting = self.waiting.lock();
                let chosen = waiting.pop();
                self.occupied.store(!waiting.is_empty(), Ordering::SeqCst);
                chosen
            };
            if let Some(chosen) = chosen {
                chosen.wake();
            }
        }
    }

    /// Wakes all that wait. May be called from an interrupt handler.
    pub fn wake_all(&self) {
        if self.count_wake_up() {
            let all = {
                let mut waiting = self.waiting.lock();
                self.occupied.store(false, Ordering::SeqCst);
                waiting.take()
            };
            all.wake_all();
        }
    }

    /// Whether somebody waits.
    #[must_use]
    pub fn has_waiters(&self) -> bool {
        !self.waiting.lock().is_empty()
    }

    /// The present moment, for [`WaitQueue::sleep`].
    #[must_use]
    pub fn now(&self) -> Moment {
        Moment(self.wake_ups.load(Ordering::SeqCst))
    }

    /// Blocks until the next wake-up, unless there was one since `seen`, or until `deadline_ns`. A safe
    /// point. It may return for another reason, too.
    ///
    /// # Errors
    ///
    /// When the task is on hold.
    pub fn sleep(&self, seen: Moment, deadline_ns: Option<u64>) -> Result<(), Kicked> {
        task::safe_point();
        let Some(me) = task::current() else {
            // Before there are tasks only an interrupt can change the condition.
            core::hint::spin_loop();
            return Ok(());
        };
        if task::kicked() {
            return Err(Kicked);
        }
        {
            let mut waiting = self.waiting.lock();
            waiting.push_task(me.clone());
            self.occupied.store(true, Ordering::SeqCst);
            // Either the waker sees that the queue is occupied, or this sees its wake-up.
            fence(Ordering::SeqCst);
            if self.now().0 != seen.0 {
                waiting.remove_task(&me);
                return Ok(());
            }
        }
        let queued = Queued {
            queue: self,
            me: &me,
        };
        task::block_until(deadline_ns);
        task::safe_point();
        if task::kicked() {
            return Err(Kicked);
        }
        queued.leave();
        Ok(())
    }

    /// Counts a wake-up; whether somebody may wait.
    fn count_wake_up(&self) -> bool {
        self.wake_ups.fetch_add(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        self.occupied.load(Ordering::SeqCst)
    }

    /// Takes a task out; whether it was still in.
    fn remove(&self, task: &Task) -> bool {
        if !task.is_queued() {
            return false;
        }
        let mut waiting = self.waiting.lock();
        let removed = waiting.remove_task(task);
        if waiting.is_empty() {
            self.occupied.store(false, Ordering::SeqCst);
        }
        removed
    }
}

/// A task that is in a queue, or has been chosen. Dropping it hands on a wake-up that the task will not
/// use.
struct Queued<'a> {
    queue: &'a WaitQueue,
    me: &'a Task,
}

impl Queued<'_> {
    /// The task will look at its condition.
    fn leave(self) {
        self.queue.remove(self.me);
        core::mem::forget(self);
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        if !self.queue.remove(self.me) {
            self.queue.wake_one();
        }
    }
}

/// The clock's time after `timeout`.
#[must_use]
pub fn deadline_ns(timeout: Duration) -> u64 {
    let nanoseconds = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
    task::now_ns().saturating_add(nanoseconds)
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
