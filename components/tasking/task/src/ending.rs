//! What is left of a task that has ended, and who frees it.
//!
//! A task cannot free the stack that it stands on. Whoever has its handle does, when it joins the task
//! or drops the handle; if that was dropped before, the reaper does, a task of its own, so that nothing
//! is freed with interrupts off.

use crate::{Builder, Restart, Task, WaitList, block, builder::SpawnError, current};
use alloc::sync::Arc;
use cpu::IrqMutex;

#[used]
static ENDED: IrqMutex<WaitList> = IrqMutex::new(WaitList::new());

#[used]
static REAPER: IrqMutex<Option<Arc<Task>>> = IrqMutex::new(None);

/// Frees the stack of a task that has ended.
pub(crate) fn release(task: &Task) {
    let stack = task.stack.lock().take();
    if let Some(stack) = stack {
        stack.give_back(); // Not under the lock: unmapping takes locks of its own.
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
