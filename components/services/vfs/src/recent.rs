//! Files that were opened not long ago, by their paths, so that the next open of one needs no walk.
//!
//! An entry holds for as long as nothing is removed, renamed or mounted: each of these makes all entries
//! void by counting. It keeps no file alive. Only absolute paths are kept, and only files in directories
//! that are steady ([`crate::Directory::is_steady`]).

use crate::{File, walk::Place};
use alloc::{
    string::String,
    sync::{Arc, Weak},
};
use core::sync::atomic::{AtomicU64, Ordering};
use cpu::IrqMutex;
use xxhash_rust::xxh3::xxh3_64;

/// How many files are remembered; a power of two. The path decides which place a file has.
const PLACES: usize = 32;
/// Longest path that is kept, in bytes.
const LONGEST: usize = 128;

struct Recent {
    path: String,
    file: Weak<dyn File>,
    /// [`CHANGES`] before the walk that found it.
    changes: u64,
}

#[used]
static RECENT: [IrqMutex<Option<Recent>>; PLACES] = [const { IrqMutex::new(None) }; PLACES];

/// How often something was removed, renamed or mounted.
#[used]
static CHANGES: AtomicU64 = AtomicU64::new(0);

/// Something is about to be removed, renamed or mounted. When this is dropped, by an unwinding as well, no
/// path leads where it led by what is remembered here.
#[must_use]
pub(crate) struct Change;

impl Change {
    pub(crate) const fn begin() -> Self {
        Self
    }
}

impl Drop for Change {
    #[inline]
    fn drop(&mut self) {
        CHANGES.fetch_add(1, Ordering::SeqCst);
    }
}

/// A path whose walk may be saved.
pub(crate) struct Lookup<'p> {
    path: &'p str,
    place: &'static IrqMutex<Option<Recent>>,
    changes: u64,
}

impl<'p> Lookup<'p> {
    /// None for a path that is not remembered.
    pub(crate) fn of(path: &'p str) -> Option<Self> {
        if !path.starts_with('/') || path.len() > LONGEST {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "any bits of the hash will do"
        )]
        let index = xxh3_64(path.as_bytes()) as usize % PLACES;
        Some(Self {
            path,
            place: RECENT.get(index)?,
            changes: CHANGES.load(Ordering::SeqCst),
        })
    }

    /// What the path names, if that is remembered.
    #[inline]
    pub(crate) fn file(&self) -> Option<Arc<dyn File>> {
        let recent = self.place.lock();
        let recent = recent.as_ref()?;
        if recent.changes == self.changes && recent.path == self.path {
            recent.file.upgrade()
        } else {
            None
        }
    }

    /// Remembers what a walk has found after [`Lookup::of`]. Without memory for it, does nothing.
    pub(crate) fn remember(&self, found: &Place<'_>, file: &Arc<dyn File>) {
        let mut path = String::new();
        if !found.directory.is_steady() || path.try_reserve_exact(self.path.len()).is_err() {
            return;
        }
        path.push_str(self.path);
        let recent = Recent {
            path,
            file: Arc::downgrade(file),
            changes: self.changes,
        };
        let before = self.place.lock().replace(recent);
        drop(before); // Not under the lock.
    }
}
