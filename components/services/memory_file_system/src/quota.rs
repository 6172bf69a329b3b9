//! How much memory the file system may take.

use core::sync::atomic::{AtomicU64, Ordering};

/// A limit, and what is taken of it.
#[derive(Debug)]
pub(crate) struct Quota {
    limit: u64,
    used: AtomicU64,
}

/// Bytes from which on an allocation has pages of its own.
const PAGE: usize = 4096;

/// Bytes of memory that an allocation of `size` bytes takes: what the heap rounds up and adds is
/// taken as an eighth and 16 bytes.
pub(crate) const fn memory(size: usize) -> u64 {
    let whole = match size {
        0 => 0,
        1..PAGE => size + size / 8 + 16,
        _ => size.next_multiple_of(PAGE) + 16,
    };
    whole as u64
}

/// There is not so much left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exhausted;

impl Quota {
    pub(crate) const fn new(limit: u64) -> Self {
        Self {
            limit,
            used: AtomicU64::new(0),
        }
    }

    pub(crate) const fn limit(&self) -> u64 {
        self.limit
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Takes `bytes`, all or none.
    pub(crate) fn take(&self, bytes: u64) -> Result<(), Exhausted> {
        let take = |used: u64| used.checked_add(bytes).filter(|&sum| sum <= self.limit);
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .map(drop)
            .map_err(|_| Exhausted)
    }

    /// Gives back `bytes` that were taken.
    pub(crate) fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::{Exhausted, Quota};

    #[test]
    fn takes_all_or_nothing() {
        let quota = Quota::new(100);
        assert_eq!(quota.take(60), Ok(()));
        assert_eq!(quota.take(41), Err(Exhausted));
        assert_eq!(quota.take(u64::MAX), Err(Exhausted));
        assert_eq!(quota.used(), 60);
        assert_eq!(quota.take(40), Ok(()));
        quota.give_back(100);
        assert_eq!((quota.used(), quota.limit()), (0, 100));
    }
}
