//! The word that an [`IrqMutex`](crate::IrqMutex) is: the name under which a CPU holds it.

use crate::atomic::{AtomicU32, Ordering};

/// No CPU's name.
pub(crate) const NOBODY: u32 = u32::MAX;

/// Who holds a lock. Taking it and saying so is one step, so there is no moment at which a fault could
/// leave a lock taken and without a name.
pub(crate) struct Holder(AtomicU32);

impl Holder {
    pub(crate) const fn nobody() -> Self {
        Self(AtomicU32::new(NOBODY))
    }

    pub(crate) fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Takes the lock under `name`, if it is free.
    #[inline]
    pub(crate) fn take(&self, name: u32) -> bool {
        self.0
            .compare_exchange(NOBODY, name, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    /// Releases the lock, which the caller holds.
    #[inline]
    pub(crate) fn release(&self) {
        self.0.store(NOBODY, Ordering::Release);
    }

    /// Releases the lock if it is still held under `name`, which no CPU goes by any more; whether it was.
    pub(crate) fn release_from(&self, name: u32) -> bool {
        self.0
            .compare_exchange(name, NOBODY, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }
}
