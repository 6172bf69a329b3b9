//! The queue itself.

use alloc::sync::Arc;
use core::{mem, ptr};
use task::{Task, WaitList, Waiter, WaiterList};

/// Those who wait, in the order in which they came: tasks that block, and others. Where there are both,
/// they are chosen in turn.
///
/// Under a lock of its owner's; no method waits, allocates or wakes.
#[derive(Default)]
pub struct Waiters {
    /// How many there are.
    count: usize,
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
            count: 0,
            first: None,
            tasks: WaitList::new(),
            others: WaiterList::new(),
            others_turn: false,
        }
    }

    /// Adds the current task, which is about to block, unless it is in already.
    #[inline]
    pub fn push_task(&mut self, task: &Arc<Task>) {
        if self.count == 0 {
            // There is none to be dropped, which the compiler cannot know.
            mem::forget(self.first.replace(Arc::clone(task)));
            self.count = 1;
        } else {
            self.push_another(task);
        }
    }

    fn push_another(&mut self, task: &Arc<Task>) {
        let is_first = |first: &Arc<Task>| Arc::ptr_eq(first, task);
        // The list refuses a task only if that is in one already, where it is found as well.
        if !self.first.as_ref().is_some_and(is_first)
            && self.tasks.push_back(Arc::clone(task)).is_ok()
        {
            self.count += 1;
        }
    }

    /// Adds somebody else, unless it is in a queue already.
    pub fn push(&mut self, waiter: Arc<Waiter>) {
        if self.others.push_back(waiter) {
            self.count += 1;
        }
    }

    /// Chooses the task that waits, in the most frequent case that there is nobody else.
    #[inline(always)]
    pub fn pop_only(&mut self) -> Option<Arc<Task>> {
        if self.count != 1 {
            return None;
        }
        let only = self.first.take()?;
        self.count = 0;
        Some(only)
    }

    /// Chooses who has waited longest.
    #[inline]
    pub fn pop(&mut self) -> Option<Chosen> {
        if self.count == 0 {
            return None;
        }
        let chosen = if self.others.is_empty() {
            self.pop_task().map(Chosen::Task)
        } else {
            self.pop_in_turn()
        };
        if chosen.is_some() {
            self.count -= 1;
        }
        chosen
    }

    fn pop_task(&mut self) -> Option<Arc<Task>> {
        self.first.take().or_else(|| self.tasks.pop_front())
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
        mem::take(self)
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
        self.count != 0 && self.find_and_remove_task(task)
    }

    fn find_and_remove_task(&mut self, task: &Task) -> bool {
        let is_first = |first: &Arc<Task>| ptr::eq(Arc::as_ptr(first), task);
        let removed = if self.first.as_ref().is_some_and(is_first) {
            self.first.take()
        } else {
            self.tasks.remove(task)
        };
        self.count -= usize::from(removed.is_some());
        removed.is_some()
    }

    /// Takes somebody else out; whether it was in. One that was not has been chosen.
    pub fn remove(&mut self, waiter: &Waiter) -> bool {
        let removed = self.others.remove(waiter).is_some();
        self.count -= usize::from(removed);
        removed
    }

    /// Whether nobody waits.
    #[must_use]
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }
}
