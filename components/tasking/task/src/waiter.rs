//! What waits besides blocked tasks: whoever waits for several things at once, and futures.

use crate::Task;
use alloc::{sync::Arc, task::Wake};
use core::{fmt, task::Waker};
use cpu::IrqMutex;
use intrusive_collections::{LinkedList, LinkedListAtomicLink, intrusive_adapter};

intrusive_adapter!(Link = Arc<Waiter>: Waiter { link => LinkedListAtomicLink });

/// A place in a queue that is not a task's own: who waits in several queues has one in each.
pub struct Waiter {
    link: LinkedListAtomicLink,
    waker: IrqMutex<Option<Waker>>,
}

impl Waiter {
    /// A place in no queue yet, that wakes nobody.
    #[must_use]
    pub fn new() -> Self {
        Self {
            link: LinkedListAtomicLink::new(),
            waker: IrqMutex::new(None),
        }
    }

    /// Says who is to be woken.
    pub fn set_waker(&self, waker: &Waker) {
        let kept = self.waker.lock().take();
        let waker = match kept {
            Some(kept) if kept.will_wake(waker) => kept,
            // Cloned and dropped without the lock: that may run anybody's code.
            _ => waker.clone(),
        };
        let before = self.waker.lock().replace(waker);
        drop(before);
    }

    /// Wakes who waits, once. May be called from an interrupt handler.
    pub fn wake(&self) {
        let waker = self.waker.lock().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Whether it is in a queue.
    #[must_use]
    pub fn is_queued(&self) -> bool {
        self.link.is_linked()
    }
}

impl Default for Waiter {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Waiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiter")
            .field("is_queued", &self.is_queued())
            .finish_non_exhaustive()
    }
}

/// A queue of [`Waiter`]s.
#[derive(Default)]
pub struct WaiterList {
    list: LinkedList<Link>,
}

impl WaiterList {
    /// An empty queue.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            list: LinkedList::new(Link::NEW),
        }
    }

    /// Adds `waiter` at the end, unless it is in a queue already; whether it did.
    pub fn push_back(&mut self, waiter: Arc<Waiter>) -> bool {
        let free = !waiter.is_queued();
        if free {
            self.list.push_back(waiter);
        }
        free
    }

    /// Takes the first one out.
    pub fn pop_front(&mut self) -> Option<Arc<Waiter>> {
        self.list.pop_front()
    }

    /// Takes `waiter` out; `None` when it is not in this queue.
    pub fn remove(&mut self, waiter: &Waiter) -> Option<Arc<Waiter>> {
        if !waiter.is_queued() {
            return None;
        }
        let mut cursor = self.list.front_mut();
        while let Some(found) = cursor.get() {
            if core::ptr::eq(found, waiter) {
                return cursor.remove();
            }
            cursor.move_next();
        }
        None
    }

    /// Whether nobody is in it.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

/// A task as a waker: waking it is unblocking it.
impl Wake for Task {
    fn wake(self: Arc<Self>) {
        Self::wake(self);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.unblock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_in_one_queue_at_a_time() {
        let (mut one, mut other) = (WaiterList::new(), WaiterList::new());
        let waiter = Arc::new(Waiter::new());
        assert!(one.push_back(Arc::clone(&waiter)));
        assert!(!other.push_back(Arc::clone(&waiter)));
        assert!(other.is_empty());
        assert!(other.remove(&waiter).is_none());
        assert!(one.remove(&waiter).is_some());
        assert!(one.pop_front().is_none());
        assert_eq!(Arc::strong_count(&waiter), 1);
    }
}
