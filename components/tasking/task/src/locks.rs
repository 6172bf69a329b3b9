//! What a task notes about the locks that it holds, so that one that would wait for itself is told.

use crate::Task;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Shared locks that a task can note; further ones are held all the same.
const MOST_SHARED: usize = 4;

/// The locks that a task holds and that do not know it. Only the task itself changes it.
#[derive(Debug)]
pub(crate) struct HeldLocks {
    /// The addresses of locks that it shares with others; 0 for none.
    shared: [AtomicUsize; MOST_SHARED],
}

impl HeldLocks {
    pub(crate) const fn new() -> Self {
        Self {
            shared: [const { AtomicUsize::new(0) }; MOST_SHARED],
        }
    }

    fn replace(&self, before: usize, after: usize) -> bool {
        let place = self
            .shared
            .iter()
            .find(|place| place.load(Ordering::Relaxed) == before);
        if let Some(place) = place {
            place.store(after, Ordering::Relaxed);
        }
        place.is_some()
    }
}

impl Task {
    /// Notes that the task, the current one, shares the lock at `address`; whether there was room.
    pub fn hold_shared(&self, address: usize) -> bool {
        self.locks.replace(0, address)
    }

    /// Notes that it shares it no more.
    pub fn release_shared(&self, address: usize) {
        self.locks.replace(address, 0);
    }

    /// Whether it is noted to share the lock at `address`.
    #[must_use]
    pub fn holds_shared(&self, address: usize) -> bool {
        let places = self.locks.shared.iter();
        places
            .map(|place| place.load(Ordering::Relaxed))
            .any(|held| held == address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_as_many_as_there_is_room_for() {
        let locks = HeldLocks::new();
        for address in 1..=MOST_SHARED {
            assert!(locks.replace(0, address * 8));
        }
        assert!(!locks.replace(0, 800));
        assert!(locks.replace(8, 0));
        assert!(!locks.replace(8, 0));
        assert!(locks.replace(0, 800));
    }
}
