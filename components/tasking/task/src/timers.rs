//! Sleeping.

use crate::{Task, block_until, queue::TimerQueue, safe_point};
use alloc::sync::Arc;
use core::{sync::atomic::Ordering, time::Duration};
use cpu::IrqMutex;

#[used]
static SLEEPERS: IrqMutex<TimerQueue> = IrqMutex::new(TimerQueue::new());

/// Blocks the current task for at least `duration`. A safe point.
pub fn sleep(duration: Duration) {
    let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let deadline_ns = clock::now_ns().saturating_add(nanoseconds);
    safe_point();
    while clock::now_ns() < deadline_ns {
        block_until(Some(deadline_ns));
        safe_point();
    }
}

/// Nanoseconds since the clock started; never goes back.
#[must_use]
pub fn now_ns() -> u64 {
    clock::now_ns()
}

/// Has `task` unblocked when the clock shows `deadline_ns`.
pub(crate) fn arm(task: &Arc<Task>, deadline_ns: u64) {
    let mut sleepers = SLEEPERS.lock();
    task.deadline_ns.store(deadline_ns, Ordering::Relaxed);
    sleepers.insert(Arc::clone(task));
}

/// Takes `task` out again.
pub(crate) fn disarm(task: &Task) {
    let removed = SLEEPERS.lock().remove(task);
    drop(removed);
}

/// Forgets all sleepers without a look at them; the links of those that were in must be reset.
pub(crate) fn forget_all() {
    SLEEPERS.lock().forget_all();
}

/// When the next deadline comes, if there is one.
pub(crate) fn next_ns() -> Option<u64> {
    SLEEPERS.lock().first_ns()
}

/// Unblocks all tasks whose deadline has come; in the timer's interrupt handler.
pub(crate) fn wake_due() {
    let now_ns = clock::now_ns();
    loop {
        let due = SLEEPERS.lock().pop_due(now_ns);
        let Some(task) = due else { return };
        task.unblock();
    }
}
