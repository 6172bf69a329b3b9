//! The foreground job: the tasks that Ctrl-C kills.

use alloc::vec::Vec;
use cpu::IrqMutex;
use task::TaskId;

#[used]
static JOB: IrqMutex<Vec<TaskId>> = IrqMutex::new(Vec::new());

/// Some tasks are the foreground job while this value lives.
#[must_use]
#[derive(Debug)]
pub struct Foreground {
    before: Vec<TaskId>,
}

/// Makes `tasks` the foreground job.
pub fn set_foreground(tasks: Vec<TaskId>) -> Foreground {
    Foreground {
        before: core::mem::replace(&mut *JOB.lock(), tasks),
    }
}

impl Drop for Foreground {
    fn drop(&mut self) {
        let before = core::mem::take(&mut self.before);
        let over = core::mem::replace(&mut *JOB.lock(), before);
        drop(over); // Not under the lock, which keeps interrupts off.
    }
}

/// Asks the tasks of the foreground job to end; whether there is one.
pub(crate) fn kill() -> bool {
    let job = JOB.lock();
    for &id in job.iter() {
        // A task of the job that has ended by itself needs no killing.
        let _ = task::kill(id);
    }
    !job.is_empty()
}
