//! The queue itself.

use alloc::sync::Arc;
use task::{Task, WaitList, Waiter, WaiterList};

/// Those who wait, in the order in which they came: tasks that block, and others. Where there are both,
/// they are chosen in turn.
///
/// Under a lock of its owner's; no method waits, allocates or wakes.
#[derive(Default)]
pub struct Waiters {
    tasks: WaitList,
    others: WaiterList,
    others_turn: bool,
}

/// Who has been chosen and is to be woken, best when the lock is released.
#[must_use]
pub enum Chosen {
    /// A task that blocks.
    Task(Arc<Task>),
    /// Somebody else.
    Other(Arc<Waiter>),
}

impl Chosen {
    /// Wakes it.
    #[inline]
    pub fn wake(self) {
        match self {
            Self::Task(task) => task.wake(),
            Self::Other(waiter) => waiter.wake(),
        }
    }
}

impl Waiters {
    /// Nobody.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            tasks: WaitList::new(),
            others: WaiterList::new(),
            others_turn: false,
        }
    }

    /// Adds the current task, which is about to block.
    #[inline]
    pub fn push_task(&mut self, task: Arc<Task>) {
        // Refused only if it is in a queue already, where it is found as well.
        let _ = self.tasks.push_back(task);
    }

    /// Adds somebody else, unless it is in a queue already.
    pub fn push(&mut self, waiter: Arc<Waiter>) {
        self.others.push_back(waiter);
    }

    /// Chooses who has waited longest.
    #[inline]
    pub fn pop(&mut self) -> Option<Chosen> {
        if self.others.is_empty() {
            return self.tasks.pop_front().map(Chosen::Task);
        }
        self.others_turn = !self.others_turn;
        if self.others_turn || self.tasks.is_empty() {
            self.others.pop_front().map(Chosen::Other)
        } else {
            self.tasks.pop_front().map(Chosen::Task)
        }
    }

    /// Chooses all.
    #[must_use]
    pub fn take(&mut self) -> Self {
        core::mem::take(self)
    }

    /// Wakes all that were taken.
    pub fn wake_all(mut self) {
        while let Some(chosen) = self.pop() {
            chosen.wake();
        }
    }

    /// Takes a task out; whether it was in. One that was not has been chosen.
    pub fn remove_task(&mut self, task: &Task) -> bool {
        task.is_queued() && self.tasks.remove(task).is_some()
    }

    /// Takes somebody else out; whether it was in. One that was not has been chosen.
    pub fn remove(&mut self, waiter: &Waiter) -> bool {
        self.others.remove(waiter).is_some()
    }

    /// Whether nobody waits.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty() && self.others.is_empty()
    }
}
