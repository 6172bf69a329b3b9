//! What is left of a task that has ended, and who frees it.
//!
//! A task cannot free the stack that it stands on. Whoever joins it does, else the reaper, a task
//! of its own, so that nothing is freed with interrupts off.

use crate::{Builder, Restart, Task, WaitList, block, builder::SpawnError, current, yield_now};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use cpu::IrqMutex;

#[used]
static ENDED: IrqMutex<WaitList> = IrqMutex::new(WaitList::new());

#[used]
static REAPER: IrqMutex<Option<Arc<Task>>> = IrqMutex::new(None);

/// Frees the stack of a task that has ended, unless somebody else does.
pub(crate) fn release(task: &Task) {
    let stack = task.stack.lock().take();
    if let Some(stack) = stack {
        stack.give_back(); // Not under the lock: unmapping takes locks of its own.
        task.stack_is_free.store(true, Ordering::Release);
    }
}

/// As [`release`], and the stack is free when this returns: the reaper may be freeing it on another
/// CPU.
pub(crate) fn release_for_certain(task: &Task) {
    release(task);
    while !task.stack_is_free.load(Ordering::Acquire) {
        yield_now();
    }
}

/// Leaves the rest of an ended task to the reaper.
pub(crate) fn hand_to_reaper(task: Arc<Task>) {
    // It waits for nothing any more, so its link for that is free; were it not, the task's last
    // reference would be dropped by whoever holds the list.
    let _ = ENDED.lock().push_back(task);
    let reaper = REAPER.lock().clone();
    if let Some(reaper) = reaper {
        reaper.unblock();
    }
}

/// Starts the reaper.
pub(crate) fn start_reaper() -> Result<(), SpawnError> {
    let builder = Builder::new("reaper").component("task").essential();
    builder.supervise(Restart::SYSTEM, reap)?;
    Ok(())
}

fn reap() {
    let before = core::mem::replace(&mut *REAPER.lock(), current());
    drop(before);
    loop {
        let ended = ENDED.lock().pop_front();
        match ended {
            Some(task) => release(&task),
            None => block(),
        }
    }
}
