//! Queues of runnable tasks, for scheduling policies. The links lie in the tasks, of which there is one
//! [`Runnable`] each, so a task is in one queue at most, and adding one takes a few stores.

use crate::{Runnable, Task};
use core::{
    ptr,
    sync::atomic::{AtomicBool, AtomicPtr, Ordering},
};

/// A task's place in a queue of runnable tasks.
pub(crate) struct RunLink {
    /// Whether the task is in a queue. For repairs only; a [`Runnable`] is proof that it is in none.
    queued: AtomicBool,
    /// The next one in a [`RunQueue`], or below the same task in a [`KeyedQueue`].
    next: AtomicPtr<Task>,
    /// In a [`KeyedQueue`], the first of the tasks below it.
    child: AtomicPtr<Task>,
}

impl RunLink {
    pub(crate) const fn new() -> Self {
        Self {
            queued: AtomicBool::new(false),
            next: AtomicPtr::new(ptr::null_mut()),
            child: AtomicPtr::new(ptr::null_mut()),
        }
    }
}

impl RunLink {
    /// Whether the task is in a queue.
    pub(crate) fn is_queued(&self) -> bool {
        self.queued.load(Ordering::Relaxed)
    }

    /// Makes it the link of a task that is in no queue; whether it was in one. No queue may lead to the task.
    pub(crate) fn reset(&self) -> bool {
        self.next.store(ptr::null_mut(), Ordering::Relaxed);
        self.child.store(ptr::null_mut(), Ordering::Relaxed);
        self.queued.swap(false, Ordering::Relaxed)
    }
}

/// Takes a task into a queue.
#[inline]
fn admit(task: Runnable) -> *mut Task {
    task.run_link.queued.store(true, Ordering::Relaxed);
    task.into_raw().cast_mut()
}

/// Gives the right to let a task run, which lies in a queue that does not lead to it any more.
///
/// # Safety
///
/// The pointer must come from [`admit`], and no queue use it after this.
#[inline]
unsafe fn release(task: *mut Task) -> Runnable {
    link(task).queued.store(false, Ordering::Relaxed);
    // SAFETY: the caller gives up the queue's right.
    unsafe { Runnable::from_raw(task) }
}

/// The link of a task in a queue.
#[inline]
fn link<'a>(task: *mut Task) -> &'a RunLink {
    // SAFETY: only tasks of a queue come here, which has a reference to each; what comes out is not kept
    // longer than the task is in the queue.
    unsafe { &(*task).run_link }
}

/// The task behind `task` in its list, and no more from then on.
#[inline]
fn cut(task: *mut Task) -> *mut Task {
    let next = &link(task).next;
    let behind = next.load(Ordering::Relaxed);
    next.store(ptr::null_mut(), Ordering::Relaxed);
    behind
}

/// Runnable tasks in the order in which they came.
pub struct RunQueue {
    first: *mut Task,
    last: *mut Task,
}

// SAFETY: the tasks are references that may be sent, and nothing else points into the queue.
unsafe impl Send for RunQueue {}

impl RunQueue {
    /// An empty queue.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            first: ptr::null_mut(),
            last: ptr::null_mut(),
        }
    }

    /// Whether no task is in it.
    #[must_use]
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.first.is_null()
    }

    /// Adds `task` at the end.
    #[inline]
    pub fn push_back(&mut self, task: Runnable) {
        let task = admit(task);
        if self.first.is_null() {
            self.first = task;
        } else {
            link(self.last).next.store(task, Ordering::Relaxed);
        }
        self.last = task;
    }

    /// Takes the first task out.
    #[inline]
    pub fn pop_front(&mut self) -> Option<Runnable> {
        let task = self.first;
        if task.is_null() {
            return None;
        }
        self.first = cut(task);
        // SAFETY: it was the first of the queue, and is not any more.
        Some(unsafe { release(task) })
    }

    /// Takes the first task out that is `wanted`.
    pub fn take_first(&mut self, wanted: impl Fn(&Task) -> bool) -> Option<Runnable> {
        let mut passed = Self::new();
        let mut found = None;
        while let Some(task) = self.pop_front() {
            if wanted(&task) {
                found = Some(task);
                break;
            }
            passed.push_back(task);
        }
        // The others go on as they stood.
        while let Some(task) = self.pop_front() {
            passed.push_back(task);
        }
        core::mem::swap(self, &mut passed);
        found
    }
}

impl Default for RunQueue {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for RunQueue {
    fn drop(&mut self) {
        while self.pop_front().is_some() {}
    }
}

/// Runnable tasks in the order of a number that the policy keeps in each: the one whose
/// [`Task::policy_word`] has the least number at `WORD` comes first. The number must stay while the task
/// is in the queue.
///
/// A pairing heap (Fredman, Sedgewick, Sleator, Tarjan: The pairing heap, 1986): adding is a comparison,
/// taking the first one costs the logarithm of the number of tasks, on the average, and with few tasks
/// both are a handful of instructions, which a balanced tree is not.
pub struct KeyedQueue<const WORD: usize> {
    /// The first task; each task in the queue is a reference that the queue owns.
    root: *mut Task,
}

// SAFETY: the tasks are references that may be sent, and nothing else points into the queue.
unsafe impl<const WORD: usize> Send for KeyedQueue<WORD> {}

impl<const WORD: usize> KeyedQueue<WORD> {
    /// An empty queue.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            root: ptr::null_mut(),
        }
    }

    /// Whether no task is in it.
    #[must_use]
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.root.is_null()
    }

    /// Adds `task`.
    #[inline]
    pub fn push(&mut self, task: Runnable) {
        let root = self.root;
        // Its links are null: they were when it was made, and whoever takes a task out leaves them so.
        let task = admit(task);
        self.root = if root.is_null() {
            task
        } else {
            Self::meld(root, task)
        };
    }

    /// The first task.
    #[must_use]
    #[inline]
    pub fn first(&self) -> Option<&Task> {
        // SAFETY: the root is null, or a task that the queue has a reference to.
        unsafe { self.root.as_ref() }
    }

    /// Takes the first task out.
    #[inline]
    pub fn pop(&mut self) -> Option<Runnable> {
        let first = self.root;
        if first.is_null() {
            return None;
        }
        let child = link(first).child.load(Ordering::Relaxed);
        self.root = child;
        if !child.is_null() {
            link(first).child.store(ptr::null_mut(), Ordering::Relaxed);
            self.root = Self::join(child);
        }
        // SAFETY: it was the root of the queue, and is not any more.
        Some(unsafe { release(first) })
    }

    /// Takes the only task out; `None` when there is none, or more than one.
    #[inline(always)]
    pub fn pop_only(&mut self) -> Option<Runnable> {
        let only = self.root;
        if only.is_null() || !link(only).child.load(Ordering::Relaxed).is_null() {
            return None;
        }
        self.root = ptr::null_mut();
        // SAFETY: it was the root of the queue, and is not any more; nothing lies below it.
        Some(unsafe { release(only) })
    }

    /// Puts `task` in the place of the only one that is in it, which comes out; `prepare` is what is to be
    /// done with `task` before, if so.
    ///
    /// # Errors
    ///
    /// Gives `task` back when there is none, or more than one.
    #[inline(always)]
    pub fn replace_only(
        &mut self,
        task: Runnable,
        prepare: impl FnOnce(&Task),
    ) -> Result<Runnable, Runnable> {
        let only = self.root;
        if only.is_null() || !link(only).child.load(Ordering::Relaxed).is_null() {
            return Err(task);
        }
        prepare(&task);
        self.root = admit(task);
        // SAFETY: it was the root of the queue, and is not any more; nothing lies below it.
        Ok(unsafe { release(only) })
    }

    /// Takes out the first task that is `wanted`.
    pub fn take_first(&mut self, wanted: impl Fn(&Task) -> bool) -> Option<Runnable> {
        let mut others = Self::new();
        let mut found = None;
        while let Some(task) = self.pop() {
            if wanted(&task) {
                found = Some(task);
                break;
            }
            others.push(task);
        }
        let others = core::mem::replace(&mut others.root, ptr::null_mut());
        if !others.is_null() {
            self.root = if self.root.is_null() {
                others
            } else {
                Self::meld(self.root, others)
            };
        }
        found
    }

    /// Makes one tree of two; of equals the first one comes first.
    #[inline]
    fn meld(one: *mut Task, other: *mut Task) -> *mut Task {
        let (parent, child) = if Self::key(other) < Self::key(one) {
            (other, one)
        } else {
            (one, other)
        };
        let (upper, lower) = (link(parent), link(child));
        let below = upper.child.load(Ordering::Relaxed);
        lower.next.store(below, Ordering::Relaxed);
        upper.child.store(child, Ordering::Relaxed);
        parent
    }

    /// Makes one tree of those that lay below the one taken out: in pairs, then all, from the last.
    #[inline(never)]
    fn join(first: *mut Task) -> *mut Task {
        let mut rest = first;
        let mut pairs = ptr::null_mut();
        while !rest.is_null() {
            let one = rest;
            let other = cut(one);
            let pair = if other.is_null() {
                rest = ptr::null_mut();
                one
            } else {
                rest = cut(other);
                Self::meld(one, other)
            };
            link(pair).next.store(pairs, Ordering::Relaxed);
            pairs = pair;
        }
        let mut all = pairs;
        let mut rest = cut(all);
        while !rest.is_null() {
            let pair = rest;
            rest = cut(pair);
            all = Self::meld(all, pair);
        }
        all
    }

    #[inline]
    fn key(task: *mut Task) -> u64 {
        // SAFETY: only pointers to tasks that the queue has references to come here.
        unsafe { &*task }.policy_word(WORD)
    }
}

impl<const WORD: usize> Default for KeyedQueue<WORD> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const WORD: usize> Drop for KeyedQueue<WORD> {
    fn drop(&mut self) {
        while self.pop().is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::tests::task;
    use alloc::{sync::Arc, vec::Vec};

    /// A task that is in no queue; it is not dropped, since there is no tick that would find it.
    fn runnable(id: u64, key: u64) -> Runnable {
        let task = task(id);
        task.set_policy_word(1, key);
        // SAFETY: the task is runnable and fresh, so there is no other such value.
        unsafe { Runnable::new(task) }
    }

    fn key(task: Runnable) -> u64 {
        let key = task.policy_word(1);
        // SAFETY: the reference is the one that the value had.
        drop(unsafe { Arc::from_raw(task.into_raw()) });
        key
    }

    fn drain(queue: &mut KeyedQueue<1>) -> Vec<u64> {
        core::iter::from_fn(|| queue.pop()).map(key).collect()
    }

    #[test]
    fn gives_tasks_by_their_keys() {
        let mut queue = KeyedQueue::<1>::new();
        // A generator with a full period below 1,009: every key once, in no order.
        let mut key = 1;
        for id in 0..1008 {
            key = key * 11 % 1009;
            queue.push(runnable(id, key));
            if id % 3 == 0 {
                let first = queue.pop().unwrap();
                queue.push(first);
            }
        }
        let order = drain(&mut queue);
        assert_eq!(order.len(), 1008);
        assert!(order.is_sorted());
        assert!(queue.is_empty());
    }

    #[test]
    fn of_two_equal_ones_the_first_comes_first() {
        let mut queue = KeyedQueue::<1>::new();
        for id in 0..2 {
            queue.push(runnable(id, 5));
        }
        let first = queue.pop().unwrap();
        assert_eq!(first.id().0, 0);
        queue.push(first);
        drain(&mut queue);
    }

    #[test]
    fn takes_the_first_that_is_wanted_and_keeps_the_others() {
        let mut queue = KeyedQueue::<1>::new();
        let mut in_order = RunQueue::new();
        for id in 0..10 {
            queue.push(runnable(id, 10 - id));
            in_order.push_back(runnable(id, id));
        }
        let even = queue.take_first(|task| task.id().0 % 2 == 0);
        assert_eq!(even.map(key), Some(2));
        assert!(queue.take_first(|_| false).is_none());
        assert_eq!(drain(&mut queue), [1, 3, 4, 5, 6, 7, 8, 9, 10]);
        let odd = in_order.take_first(|task| task.id().0 % 2 == 1);
        assert_eq!(odd.map(key), Some(1));
        in_order.push_back(runnable(11, 11));
        let order: Vec<u64> = core::iter::from_fn(|| in_order.pop_front())
            .map(key)
            .collect();
        assert_eq!(order, [0, 2, 3, 4, 5, 6, 7, 8, 9, 11]);
    }
}
