//! The words that say who has a lock.

use crate::atomic::{AtomicU32, AtomicU64, Ordering};

/// Nobody, as an owner.
pub(crate) const NOBODY: u64 = u64::MAX;

/// The task that has a lock alone, or [`NOBODY`]; changing it from that is taking the lock.
pub(crate) struct OwnerWord(AtomicU64);

impl OwnerWord {
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(NOBODY))
    }

    pub(crate) fn get(&self) -> Option<u64> {
        let owner = self.0.load(Ordering::Relaxed);
        (owner != NOBODY).then_some(owner)
    }

    /// Takes the lock for `owner` from `before`; whether that had it.
    pub(crate) fn take(&self, before: u64, owner: u64) -> bool {
        self.0
            .compare_exchange(before, owner, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    /// Notes the owner of a lock that has been taken by another word.
    pub(crate) fn set(&self, owner: u64) {
        self.0.store(owner, Ordering::Relaxed);
    }

    pub(crate) fn release(&self) {
        self.0.store(NOBODY, Ordering::Release);
    }
}

/// `RwWord::users` while somebody writes.
const WRITER: u32 = u32::MAX;

/// Who reads or writes: [`WRITER`] or the number of readers; and how many wait to write.
pub(crate) struct RwWord {
    users: AtomicU32,
    writers_waiting: AtomicU32,
}

impl RwWord {
    pub(crate) const fn new() -> Self {
        Self {
            users: AtomicU32::new(0),
            writers_waiting: AtomicU32::new(0),
        }
    }

    /// Adds a reader, one that `overtakes` also when writers wait.
    pub(crate) fn try_read(&self, overtakes: bool) -> bool {
        if self.writers_wait() && !overtakes {
            return false;
        }
        let more = |users| (users < WRITER - 1).then(|| users + 1);
        self.users
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, more)
            .is_ok()
    }

    pub(crate) fn try_write(&self) -> bool {
        self.users
            .compare_exchange(0, WRITER, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }

    /// Takes a reader off; whether it was the last one.
    pub(crate) fn end_read(&self) -> bool {
        self.users.fetch_sub(1, Ordering::SeqCst) == 1
    }

    pub(crate) fn end_write(&self) {
        self.users.store(0, Ordering::SeqCst);
    }

    /// A writer begins to wait.
    pub(crate) fn expect_writer(&self) {
        self.writers_waiting.fetch_add(1, Ordering::SeqCst);
    }

    /// It waits no more; whether it was the last one, so that readers that it kept out are to be woken.
    pub(crate) fn forget_writer(&self) -> bool {
        self.writers_waiting.fetch_sub(1, Ordering::SeqCst) == 1
    }

    pub(crate) fn writers_wait(&self) -> bool {
        self.writers_waiting.load(Ordering::SeqCst) != 0
    }
}
