//! The queue itself.

use alloc::sync::Arc;
use core::ptr;
use task::{Task, WaitList, Waiter, WaiterList};

/// Those who wait, in the order in which they came: tasks that block, and others. Where there are both,
/// they are chosen in turn.
///
/// Under a lock of its owner's; no method waits, allocates or wakes.
#[derive(Default)]
pub struct Waiters {
    /// The task that has waited longest, if it came when no other waited: mostly there is only one,
    /// and no list to be kept for it.
    first: Option<Arc<Task>>,
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
    #[inline(always)]
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
            first: None,
            tasks: WaitList::new(),
            others: WaiterList::new(),
            others_turn: false,
        }
    }

    /// Adds the current task, which is about to block, unless it is in already.
    #[inline]
    pub fn push_task(&mut self, task: &Arc<Task>) {
        match &self.first {
            Some(first) if Arc::ptr_eq(first, task) => {}
            None if self.tasks.is_empty() => self.first = Some(Arc::clone(task)),
            // Refused only if it is in a list already, where it is found as well.
            _ => drop(self.tasks.push_back(Arc::clone(task))),
        }
    }

    /// Adds somebody else, unless it is in a queue already.
    pub fn push(&mut self, waiter: Arc<Waiter>) {
        self.others.push_back(waiter);
    }

    /// Chooses the task that waits, in the most frequent case that it came when nobody else waited, and
    /// none but tasks have come since.
    #[inline(always)]
    pub fn pop_first(&mut self) -> Option<Arc<Task>> {
        if self.others.is_empty() {
            self.first.take()
        } else {
            None
        }
    }

    /// Chooses who has waited longest.
    #[inline]
    pub fn pop(&mut self) -> Option<Chosen> {
        if !self.others.is_empty() {
            return self.pop_in_turn();
        }
        self.pop_task().map(Chosen::Task)
    }

    #[inline]
    fn pop_task(&mut self) -> Option<Arc<Task>> {
        match self.first.take() {
            Some(first) => Some(first),
            None if self.tasks.is_empty() => None,
            None => self.tasks.pop_front(),
        }
    }

    #[cold]
    fn pop_in_turn(&mut self) -> Option<Chosen> {
        self.others_turn = !self.others_turn;
        if self.others_turn {
            return self.others.pop_front().map(Chosen::Other);
        }
        match self.pop_task() {
            Some(task) => Some(Chosen::Task(task)),
            None => self.others.pop_front().map(Chosen::Other),
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
    #[inline]
    pub fn remove_task(&mut self, task: &Task) -> bool {
        if let Some(first) = &self.first
            && ptr::eq(Arc::as_ptr(first), task)
        {
            self.first = None;
            return true;
        }
        task.is_listed() && self.tasks.remove(task).is_some()
    }

    /// Takes somebody else out; whether it was in. One that was not has been chosen.
    pub fn remove(&mut self, waiter: &Waiter) -> bool {
        self.others.remove(waiter).is_some()
    }

    /// Whether nobody waits.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.first.is_none() && self.tasks.is_empty() && self.others.is_empty()
    }
}
