//! What a task is asked for by others, and how it notices: to end, or to stand still.
//!
//! Each CPU has a copy of the running task's word, since every safe point looks at it. A task makes it itself
//! when it has got the CPU, and if it had blocked, after it has forgotten its last wake-up. A request that
//! comes while the task runs is told to its CPU; one that comes just when the task makes the copy may be told
//! to nobody. It is noticed at the next tick, or when the task wants to block: whoever asks wakes it as
//! well, so that it does not block, and looks.

use crate::{Task, per_cpu};
use core::sync::atomic::{AtomicU32, Ordering};
use cpu::InterruptsOff;

/// What a task is asked for.
pub(crate) struct Requests(AtomicU32);

/// To end. The other bits count those who ask it to stand still.
const END: u32 = 1 << 31;

impl Requests {
    pub(crate) const fn none() -> Self {
        Self(AtomicU32::new(0))
    }

    #[inline]
    fn word(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }

    /// Whether the task is to end.
    #[inline]
    pub(crate) fn to_end(&self) -> bool {
        self.word() & END != 0
    }

    /// Whether the task is to stand still.
    pub(crate) fn to_stand_still(&self) -> bool {
        self.word() & !END != 0
    }

    /// Makes the copy of the CPU that runs the task; interrupts must be off.
    #[inline(always)]
    pub(crate) fn copy(&self) {
        cpu::set_task_requests(self.word());
    }
}

impl Task {
    /// Asks the task to end.
    pub(crate) fn ask_to_end(&self) {
        self.requests.0.fetch_or(END, Ordering::SeqCst);
        self.tell_cpu();
    }

    /// Asks the task to stand still, until [`Task::let_go_on`] is called as often.
    pub(crate) fn ask_to_stand_still(&self) {
        self.requests.0.fetch_add(1, Ordering::SeqCst);
        self.tell_cpu();
    }

    /// Takes that back. The task notices when it looks.
    pub(crate) fn let_go_on(&self) {
        self.requests.0.fetch_sub(1, Ordering::SeqCst);
    }

    /// Tells the CPU that runs the task that it is asked for something. A CPU that runs it no more has its
    /// own task look in vain.
    fn tell_cpu(&self) {
        if self.is_on_cpu()
            && let Some(local) = cpu::local_of(self.cpu())
        {
            local.task_requests.store(1, Ordering::Relaxed);
        }
    }
}

/// Whether the current task has been asked for something and should come to a safe point. It may be
/// nothing after all.
#[must_use]
#[inline(always)]
pub fn has_requests() -> bool {
    cpu::has_task_requests()
}

/// Makes this CPU's copy of the current task's word again.
pub(crate) fn look() {
    let _off = InterruptsOff::new();
    // SAFETY: the word is null, or the CPU's reference to its current task, which is kept as long as that
    // is the current task.
    if let Some(task) = unsafe { per_cpu::current_raw().as_ref() } {
        task.requests.copy();
    }
}
