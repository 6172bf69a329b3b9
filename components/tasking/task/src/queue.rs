//! Queues of tasks that need no memory: the links lie in the tasks.
//!
//! A task has one link for each kind of queue, so it is in at most one queue of a kind, and putting
//! it in a second one is refused and not a corrupted list. None of the operations allocates, blocks
//! or frees more than a reference, so an interrupt handler may use them.

use crate::Task;
use alloc::sync::Arc;
use intrusive_collections::{LinkedList, LinkedListAtomicLink, intrusive_adapter};

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

            /// Takes `task` out; `None` when it is not in this queue.
            pub fn remove(&mut self, task: &Task) -> Option<Arc<Task>> {
                if !task.wait_link.is_linked() {
                    return None;
                }
                let mut cursor = self.list.front_mut();
                while let Some(found) = cursor.get() {
                    if core::ptr::eq(found, task) {
                        return cursor.remove();
                    }
                    cursor.move_next();
                }
                None
            }

            /// Takes the first task out that is `wanted`.
            pub fn take_first(&mut self, wanted: impl Fn(&Task) -> bool) -> Option<Arc<Task>> {
                let mut cursor = self.list.front_mut();
                while !wanted(cursor.get()?) {
                    cursor.move_next();
                }
                cursor.remove()
            }
        }
    };
}

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

impl Table {
    /// Takes `task` out without a look at the others; `None` when it is not in.
    pub(crate) fn take_out(&mut self, task: &Task) -> Option<Arc<Task>> {
        if !task.table_link.is_linked() {
            return None;
        }
        // SAFETY: this is the only queue that uses the link, and the task is linked.
        let mut cursor = unsafe { self.list.cursor_mut_from_ptr(task) };
        cursor.remove()
    }
}

/// Sleeping tasks, the earliest deadline first.
#[derive(Default)]
pub(crate) struct TimerQueue {
    list: LinkedList<TimerLink>,
}

impl TimerQueue {
    pub(crate) const fn new() -> Self {
        Self {
            list: LinkedList::new(TimerLink::NEW),
        }
    }

    /// Adds `task` by its deadline, unless it is in already.
    pub(crate) fn insert(&mut self, task: Arc<Task>) {
        if task.timer_link.is_linked() {
            return;
        }
        let mut cursor = self.list.front_mut();
        while cursor
            .get()
            .is_some_and(|other| other.deadline_ns() <= task.deadline_ns())
        {
            cursor.move_next();
        }
        cursor.insert_before(task);
    }

    /// Forgets all tasks without a look at them; the links of those that were in must be reset.
    pub(crate) fn forget_all(&mut self) {
        self.list.fast_clear();
    }

    /// The first deadline.
    pub(crate) fn first_ns(&self) -> Option<u64> {
        self.list.front().get().map(Task::deadline_ns)
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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{
        Priority, State, TaskId,
        task::{Kind, Parts},
    };
    use alloc::vec::Vec;
    use core::sync::atomic::Ordering;
    use cpu::CpuSet;
    use handover::VirtualRange;

    pub(crate) fn task(id: u64) -> Arc<Task> {
        Arc::new(Task::new(Parts {
            id: TaskId(id),
            name: "".into(),
            component: "".into(),
            kind: Kind::Ordinary,
            cpus: CpuSet::ALL,
            priority: Priority::NORMAL,
            state: State::Runnable,
            stack_range: VirtualRange::default(),
            stack_mapped: 0,
            stack: None,
            saved_stack_pointer: 0,
            body: None,
            streams: None,
            kept: None,
        }))
    }

    #[test]
    fn gives_tasks_in_the_order_in_which_they_came() {
        let mut queue = WaitList::new();
        for id in 0..5 {
            assert!(queue.push_back(task(id)).is_ok());
        }
        let order: Vec<u64> = core::iter::from_fn(|| queue.pop_front())
            .map(|t| t.id().0)
            .collect();
        assert_eq!(order, [0, 1, 2, 3, 4]);
        assert!(queue.iter().next().is_none());
    }

    #[test]
    fn refuses_a_task_that_is_in_a_queue_of_the_kind() {
        let (mut one, mut other) = (WaitList::new(), WaitList::new());
        let mut table = Table::new();
        let task = task(1);
        assert!(one.push_back(Arc::clone(&task)).is_ok());
        assert!(one.push_back(Arc::clone(&task)).is_err());
        assert!(other.push_back(Arc::clone(&task)).is_err());
        assert!(
            table.push_back(Arc::clone(&task)).is_ok(),
            "another kind has its own link"
        );
        assert_eq!(Arc::strong_count(&task), 3);
        one.pop_front();
        drop(table.take_out(&task));
        assert!(other.push_back(Arc::clone(&task)).is_ok());
        drop(other);
        assert_eq!(
            Arc::strong_count(&task),
            1,
            "a dropped queue lets go of its tasks"
        );
    }

    #[test]
    fn takes_out_of_the_middle() {
        let mut queue = WaitList::new();
        let tasks: Vec<_> = (0..3).map(task).collect();
        for task in &tasks {
            assert!(queue.push_back(Arc::clone(task)).is_ok());
        }
        assert!(queue.remove(&tasks[1]).is_some());
        assert!(queue.remove(&tasks[1]).is_none());
        assert!(queue.take_first(|task| task.id() == TaskId(1)).is_none());
        let left: Vec<u64> = queue.iter().map(|task| task.id().0).collect();
        assert_eq!(left, [0, 2]);
        let last = queue.take_first(|task| task.id() == TaskId(2));
        assert!(last.is_some_and(|task| task.id() == TaskId(2)));
        while queue.pop_front().is_some() {}
    }

    #[test]
    fn wakes_sleepers_by_deadline_and_in_order() {
        let mut queue = TimerQueue::new();
        let tasks: Vec<_> = (0..4).map(task).collect();
        for (task, deadline) in tasks.iter().zip([30, 10, 20, 10]) {
            task.deadline_ns.store(deadline, Ordering::Relaxed);
            queue.insert(Arc::clone(task));
        }
        queue.insert(Arc::clone(&tasks[0])); // Twice changes nothing.
        assert!(queue.pop_due(9).is_none());
        let due: Vec<u64> = core::iter::from_fn(|| queue.pop_due(20))
            .map(|task| task.id().0)
            .collect();
        assert_eq!(due, [1, 3, 2]);
        assert!(queue.remove(&tasks[0]).is_some());
        assert!(queue.pop_due(u64::MAX).is_none());
    }
}
