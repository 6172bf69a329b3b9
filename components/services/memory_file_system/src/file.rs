//! A file: its contents under a lock.

use crate::{
    content::{Content, Refusal},
    quota::Quota,
    volume::{Charge, Shared},
};
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use mutex::Mutex;
use vfs::{File, Kind, Metadata, Reason};

/// A file in memory.
pub(crate) struct MemoryFile {
    /// For the file itself; the contents have their own.
    charge: Charge,
    content: Mutex<Content>,
    modified_ns: AtomicU64,
}

impl MemoryFile {
    /// An empty file.
    pub(crate) fn create(shared: &Arc<Shared>) -> Result<Arc<Self>, Reason> {
        Ok(Arc::new(Self {
            charge: Charge::owned::<Self>(shared)?,
            content: Mutex::new(Content::default()),
            modified_ns: AtomicU64::new(task::now_ns()),
        }))
    }

    fn quota(&self) -> &Quota {
        &self.charge.shared.quota
    }

    fn refuse(&self, refusal: Refusal) -> Reason {
        match refusal {
            Refusal::Full => Reason::Full,
            Refusal::TooLong { length } => Reason::TooLong {
                length,
                limit: self.quota().limit(),
            },
        }
    }

    /// Changes the contents under their lock.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut Content) -> Result<T, Refusal>,
    ) -> Result<T, Reason> {
        let result = change(&mut self.content.lock());
        self.modified_ns.store(task::now_ns(), Ordering::Relaxed);
        result.map_err(|refusal| self.refuse(refusal))
    }
}

impl File for MemoryFile {
    fn metadata(&self) -> Metadata {
        let content = self.content.lock();
        Metadata {
            kind: Kind::File,
            length: content.length(),
            allocated: content.charged() + self.charge.bytes(),
            modified_ns: self.modified_ns.load(Ordering::Relaxed),
            read_only: false,
        }
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, Reason> {
        Ok(self.content.lock().read(offset, buffer))
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<usize, Reason> {
        self.change(|content| content.write(offset, bytes, self.quota()))
    }

    fn append(&self, bytes: &[u8]) -> Result<usize, Reason> {
        self.change(|content| content.write(content.length(), bytes, self.quota()))
    }

    fn set_length(&self, length: u64) -> Result<(), Reason> {
        self.change(|content| content.set_length(length, self.quota()))
    }
}

impl Drop for MemoryFile {
    fn drop(&mut self) {
        self.content.get_mut().clear(&self.charge.shared.quota);
    }
}
