//! What a task notes about the locks that it holds, so that one that would wait for itself is told.

use crate::Task;
use core::{
    fmt,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};

/// Shared locks that a task can note; further ones are held all the same.
const MOST_SHARED: usize = 4;

/// A lock's place in the order in which a task may take locks: while it holds one, it takes only locks of
/// a lower rank. Whoever would break that is told, so that two tasks never wait for each other.
///
/// Ranks are below 64, and higher for upper layers, which call lower ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LockRank(u8);

impl LockRank {
    /// Rank `number`.
    ///
    /// # Panics
    ///
    /// When it is 64 or more; in a constant, when that is compiled.
    #[must_use]
    pub const fn new(number: u8) -> Self {
        assert!(number < 64, "a lock's rank is below 64");
        Self(number)
    }

    const fn bit(self) -> u64 {
        1 << self.0
    }
}

impl fmt::Display for LockRank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The locks that a task holds and that do not know it. Only the task itself changes it.
#[derive(Debug)]
pub(crate) struct HeldLocks {
    /// A bit for the rank of each lock that has one.
    ranks: AtomicU64,
    /// The addresses of locks that it shares with others; 0 for none.
    shared: [AtomicUsize; MOST_SHARED],
}

impl HeldLocks {
    pub(crate) const fn new() -> Self {
        Self {
            ranks: AtomicU64::new(0),
            shared: [const { AtomicUsize::new(0) }; MOST_SHARED],
        }
    }

    /// The ranks held, for who puts them back.
    pub(crate) fn ranks(&self) -> u64 {
        self.ranks.load(Ordering::Relaxed)
    }

    pub(crate) fn set_ranks(&self, ranks: u64) {
        self.ranks.store(ranks, Ordering::Relaxed);
    }

    /// Adds `rank`, unless it, or a lower one, is held: that one.
    fn enter(&self, rank: LockRank) -> Result<(), LockRank> {
        let held = self.ranks();
        let lowest = held.trailing_zeros();
        if lowest <= u32::from(rank.0) {
            return Err(LockRank(u8::try_from(lowest).unwrap_or(u8::MAX)));
        }
        self.set_ranks(held | rank.bit());
        Ok(())
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
    /// Notes that the task, the current one, takes a lock of this rank.
    ///
    /// # Errors
    ///
    /// The lowest rank that it holds, when the lock's is not below that.
    pub fn enter_rank(&self, rank: LockRank) -> Result<(), LockRank> {
        self.locks.enter(rank)
    }

    /// Notes that it holds that lock no more.
    pub fn leave_rank(&self, rank: LockRank) {
        self.locks.set_ranks(self.locks.ranks() & !rank.bit());
    }

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
    fn lets_ranks_only_fall() {
        let locks = HeldLocks::new();
        assert_eq!(locks.enter(LockRank::new(63)), Ok(()));
        assert_eq!(locks.enter(LockRank::new(20)), Ok(()));
        assert_eq!(locks.enter(LockRank::new(20)), Err(LockRank(20)));
        assert_eq!(locks.enter(LockRank::new(40)), Err(LockRank(20)));
        locks.set_ranks(locks.ranks() & !LockRank::new(20).bit());
        assert_eq!(locks.enter(LockRank::new(40)), Ok(()));
        assert_eq!(locks.enter(LockRank::new(0)), Ok(()));
        assert_eq!(locks.enter(LockRank::new(0)), Err(LockRank(0)));
    }

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
