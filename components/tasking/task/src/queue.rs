//! Queues of tasks that need no memory: the links lie in the tasks.
//!
//! A task has one link for each kind of queue, so it is in at most one queue of a kind, and putting
//! it in a second one is refused and not a corrupted list. None of the operations allocates, blocks
//! or frees more than a reference, so an interrupt handler may use them.

use crate::Task;
use alloc::sync::Arc;
use intrusive_collections::{LinkedList, LinkedListAtomicLink, intrusive_adapter};

intrusive_adapter!(RunLink = Arc<Task>: Task { run_link => LinkedListAtomicLink });
intrusive_adapter!(WaitLink = Arc<Task>: Task { wait_link => LinkedListAtomicLink });
intrusive_adapter!(TimerLink = Arc<Task>: Task { timer_link => LinkedListAtomicLink });
intrusive_adapter!(TableLink = Arc<Task>: Task { table_link => LinkedListAtomicLink });

/// Defines a queue of tasks that uses one of a task's links.
macro_rules! queue {
    ($(#[$meta:meta])* $vis:vis $name:ident, $adapter:ident, $link:ident) => {
        $(#[$meta])*
        #[derive(Default)]
        $vis struct $name {
            list: LinkedList<$adapter>,
        }

        impl $name {
            /// An empty queue.
            #[must_use]
            $vis const fn new() -> Self {
                Self { list: LinkedList::new($adapter::NEW) }
            }

            /// Adds `task` at the end.
            ///
            /// # Errors
            ///
            /// Gives the task back when it is in a queue of this kind already.
            $vis fn push_back(&mut self, task: Arc<Task>) -> Result<(), Arc<Task>> {
                if task.$link.is_linked() {
                    return Err(task);
                }
                self.list.push_back(task);
                Ok(())
            }

            /// Takes `task` out; `None` when it is not in this queue.
            $vis fn remove(&mut self, task: &Task) -> Option<Arc<Task>> {
                if !task.$link.is_linked() {
                    return None;
                }
                let mut cursor = self.list.front_mut();
                while let Some(found) = cursor.get() {
                    if found.id() == task.id() {
                        return cursor.remove();
                    }
                    cursor.move_next();
                }
                None
            }

            /// The tasks in order.
            $vis fn iter(&self) -> impl Iterator<Item = &Task> {
                self.list.iter()
            }
        }
    };
}

/// Adds what only queues that are emptied from the front need.
macro_rules! first_in_first_out {
    ($name:ident) => {
        impl $name {
            /// Takes the first task out.
            pub fn pop_front(&mut self) -> Option<Arc<Task>> {
                self.list.pop_front()
            }

            /// Whether no task is in it.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.list.is_empty()
            }
        }
    };
}

queue!(
    /// A queue of runnable tasks, for a scheduling policy.
    pub RunQueue,
    RunLink,
    run_link
);
first_in_first_out!(RunQueue);
queue!(
    /// A queue of tasks that wait for something.
    pub WaitList,
    WaitLink,
    wait_link
);
first_in_first_out!(WaitList);
queue!(
    /// All tasks.
    pub(crate) Table,
    TableLink,
    table_link
);

/// Sleeping tasks, the earliest deadline first.
#[derive(Default)]
pub(crate) struct TimerQueue {
    list: LinkedList<TimerLink>,
}

impl TimerQueue {
    pub(crate) const fn new() -> Self {
        Self { list: LinkedList::new(TimerLink::NEW) }
    }

    /// Adds `task` by its deadline, unless it is in already.
    pub(crate) fn insert(&mut self, task: Arc<Task>) {
        if task.timer_link.is_linked() {
            return;
        }
        let mut cursor = self.list.front_mut();
        while cursor.get().is_some_and(|other| other.deadline_ns() <= task.deadline_ns()) {
            cursor.move_next();
        }
        cursor.insert_before(task);
    }

    /// Takes out the first task whose deadline is not after `now_ns`.
    pub(crate) fn pop_due(&mut self, now_ns: u64) -> Option<Arc<Task>> {
        let mut cursor = self.list.front_mut();
        if cursor.get()?.deadline_ns() > now_ns {
            return None;
        }
        cursor.remove()
    }

    /// Takes `task` out if it is in.
    pub(crate) fn remove(&mut self, task: &Task) -> Option<Arc<Task>> {
        if !task.timer_link.is_linked() {
            return None;
        }
        let mut cursor = self.list.front_mut();
        while let Some(found) = cursor.get() {
            if found.id() == task.id() {
                return cursor.remove();
            }
            cursor.move_next();
        }
        None
    }
}
