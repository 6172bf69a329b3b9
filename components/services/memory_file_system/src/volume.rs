//! The file system as a whole.

use crate::{
    directory::MemoryDirectory,
    quota::{Exhausted, Quota, memory},
};
use alloc::sync::{Arc, Weak};
use mutex::Mutex;
use vfs::{Directory, FileSystem, Reason, Usage};

/// A file system in memory.
pub(crate) struct Volume {
    shared: Arc<Shared>,
    root: Arc<MemoryDirectory>,
}

/// What all its files and directories share.
pub(crate) struct Shared {
    pub(crate) quota: Quota,
    /// Whoever holds it may move something from one directory to another.
    pub(crate) moves: Mutex<()>,
}

/// Bytes that were taken from the quota. Dropping it gives them back.
pub(crate) struct Charge {
    pub(crate) shared: Arc<Shared>,
    bytes: u64,
}

impl Charge {
    /// Takes what a `T` in an `Arc` needs.
    pub(crate) fn owned<T>(shared: &Arc<Shared>) -> Result<Self, Exhausted> {
        let bytes = memory(size_of::<T>() + size_of::<[usize; 2]>());
        shared.quota.take(bytes)?;
        let shared = Arc::clone(shared);
        Ok(Self { shared, bytes })
    }

    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.shared.quota.give_back(self.bytes);
    }
}

impl Volume {
    /// An empty file system that takes `limit` bytes of memory at most.
    pub(crate) fn create(limit: u64) -> Result<Self, Exhausted> {
        let shared = Arc::new(Shared {
            quota: Quota::new(limit),
            moves: Mutex::new(()),
        });
        let root = MemoryDirectory::create(&shared, Weak::new())?;
        Ok(Self { shared, root })
    }
}

impl FileSystem for Volume {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn root(&self) -> Arc<dyn Directory> {
        Arc::<MemoryDirectory>::clone(&self.root)
    }

    fn usage(&self) -> Usage {
        Usage {
            total: self.shared.quota.limit(),
            used: self.shared.quota.used(),
        }
    }

    fn is_read_only(&self) -> bool {
        false
    }
}

impl From<Exhausted> for Reason {
    fn from(_: Exhausted) -> Self {
        Self::Full
    }
}
