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
mod wake_ups;

/// What `wake_ups` is made of; the models of it have another one.
mod atomic {
    pub(crate) use core::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
}

pub use waiters::{Chosen, Waiters};
pub use wake_ups::Moment;

use core::{fmt, time::Duration};
use cpu::IrqMutex;
use task::{Kicked, Task};
use wake_ups::WakeUps;

/// A queue of those who wait.
pub struct WaitQueue {
    wake_ups: WakeUps,
    waiting: IrqMutex<Waiters>,
}

impl WaitQueue {
    /// A queue in which nobody waits.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            wake_ups: WakeUps::new(),
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
        if self.wake_ups.count() {
            let chosen = {
                let mut waiting = self.waiting.lock();
                let chosen = waiting.pop();
                self.wake_ups.set_occupied(!waiting.is_empty());
                chosen
            };
            if let Some(chosen) = chosen {
                chosen.wake();
            }
        }
    }

    /// Wakes all that wait. May be called from an interrupt handler.
    pub fn wake_all(&self) {
        if self.wake_ups.count() {
            let all = {
                let mut waiting = self.waiting.lock();
                self.wake_ups.set_occupied(false);
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
        self.wake_ups.now()
    }

    /// Blocks until the next wake-up, unless there was one since `seen`, or until `deadline_ns`. A safe
    /// point. It may return for another reason, too.
    ///
    /// # Errors
    ///
    /// When the task is on hold.
    ///
    /// # Panics
    ///
    /// When interrupts are off: see [`check_may_block`].
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
        check_may_block();
        {
            let mut waiting = self.waiting.lock();
            waiting.push_task(&me);
            if !self.wake_ups.enter(seen) {
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

    /// Takes a task out; whether it was still in.
    fn remove(&self, task: &Task) -> bool {
        if !self.wake_ups.may_be_occupied() {
            return false;
        }
        let mut waiting = self.waiting.lock();
        let removed = waiting.remove_task(task);
        if waiting.is_empty() {
            self.wake_ups.set_occupied(false);
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

/// Looks whether the current task may block: not with interrupts off, as under an [`IrqMutex`].
///
/// # Panics
///
/// When it may not: others would spin for its lock as long as it sleeps.
#[inline]
#[track_caller]
pub fn check_may_block() {
    if !cpu::interrupts_enabled() {
        blocks_with_interrupts_off();
    }
}

#[track_caller]
#[cold]
#[expect(
    clippy::panic,
    reason = "the alternative is that others spin without end"
)]
fn blocks_with_interrupts_off() -> ! {
    let me = task::current();
    let (id, name) = me.as_ref().map_or((0, ""), |me| (me.id().0, me.name()));
    panic!(
        "task {id} \"{name}\" would wait with interrupts off, maybe under a lock that keeps them off"
    )
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
