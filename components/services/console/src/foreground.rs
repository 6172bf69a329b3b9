//! The foreground job: the tasks that Ctrl-C kills.

use crate::{input, output};
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

/// Makes `tasks` the foreground job. A Ctrl-C that was typed while they were started is for them.
pub fn set_foreground(tasks: Vec<TaskId>) -> Foreground {
    let before = core::mem::replace(&mut *JOB.lock(), tasks);
    let foreground = Foreground { before };
    if input::take_interrupt() && kill() {
        output::write(b"^C\n");
    }
    foreground
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
