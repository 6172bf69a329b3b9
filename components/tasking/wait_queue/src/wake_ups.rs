//! How a wake-up and a task on its way to sleep do not miss each other.

use crate::atomic::{AtomicBool, AtomicU64, Ordering, fence};

/// A moment in the life of a queue: what [`crate::WaitQueue::sleep`] sees wake-ups since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(u64);

/// The wake-ups of a queue, and whether there is anybody to be woken.
///
/// `set_occupied` is called under the queue's lock.
pub(crate) struct WakeUps {
    count: AtomicU64,
    /// Whether somebody may be in the queue: a wake-up of nobody takes no lock.
    occupied: AtomicBool,
}

impl WakeUps {
    pub(crate) const fn new() -> Self {
        Self {
            count: AtomicU64::new(0),
            occupied: AtomicBool::new(false),
        }
    }

    pub(crate) fn now(&self) -> Moment {
        Moment(self.count.load(Ordering::SeqCst))
    }

    /// Counts a wake-up; whether somebody may be in the queue.
    pub(crate) fn count(&self) -> bool {
        self.count.fetch_add(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        self.may_be_occupied()
    }

    /// Whether somebody may be in the queue. Who is in it is told so.
    pub(crate) fn may_be_occupied(&self) -> bool {
        self.occupied.load(Ordering::SeqCst)
    }

    /// Somebody has come into the queue, who looked at `seen`; whether there was no wake-up since, so
    /// that it may sleep: the next one sees it.
    pub(crate) fn enter(&self, seen: Moment) -> bool {
        self.set_occupied(true);
        fence(Ordering::SeqCst);
        self.now() == seen
    }

    pub(crate) fn set_occupied(&self, occupied: bool) {
        self.occupied.store(occupied, Ordering::SeqCst);
    }
}
