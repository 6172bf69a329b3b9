//! Where an object's bytes come from.

use crate::{archive, loaded::PAGE_ENTRY};
use alloc::sync::Arc;
use core::{
    fmt,
    ops::{Deref, Range},
    sync::atomic::{AtomicU64, Ordering},
};
use linker::format::lines;
use mappings::{Mapping, MappingError, PAGE_SIZE, Protection};
use xxhash_rust::xxh3::xxh3_64;

/// The bytes of an object: part of the archive, or received from outside.
///
/// They are kept as long as the component's text, since they hold its symbols and its unwind index.
#[derive(Clone)]
pub enum ObjectBytes {
    /// In the archive, which stays mapped for ever.
    Archive {
        /// Index of the member.
        member: u32,
        /// Its bytes.
        bytes: &'static [u8],
        /// Whether it is the archive's default build of its component.
        is_default: bool,
    },
    /// From outside.
    Received(Arc<ReceivedObject>),
}

impl ObjectBytes {
    /// The archive's object that has these bytes, if there is one.
    #[must_use]
    pub fn in_archive(bytes: &[u8]) -> Option<Self> {
        let archive = archive().ok()?;
        let length = bytes.len() as u64;
        for (index, member) in (0..).zip(archive.members.iter()) {
            if member.length != length || xxh3_64(bytes) != member.checksum {
                continue;
            }
            if let Ok(own) = archive.object(index)
                && own == bytes
            {
                return Some(Self::Archive {
                    member: index,
                    bytes: own,
                    is_default: archive.text(member.variant).is_empty(),
                });
            }
        }
        None
    }

    /// The archive's member, if the bytes are part of the archive.
    #[must_use]
    pub const fn member(&self) -> Option<u32> {
        match self {
            Self::Archive { member, .. } => Some(*member),
            Self::Received(_) => None,
        }
    }

    /// Whether it is the archive's default build of its component.
    #[must_use]
    pub const fn is_default(&self) -> bool {
        matches!(
            self,
            Self::Archive {
                is_default: true,
                ..
            }
        )
    }

    /// The object received from outside, if it is one.
    #[must_use]
    pub const fn received(&self) -> Option<&Arc<ReceivedObject>> {
        match self {
            Self::Archive { .. } => None,
            Self::Received(object) => Some(object),
        }
    }
}

impl Deref for ObjectBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Archive { bytes, .. } => bytes,
            Self::Received(object) => object.bytes(),
        }
    }
}

impl fmt::Debug for ObjectBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes of member {:?}", self.len(), self.member())
    }
}

/// Bytes of memory that objects received from outside take.
#[used]
static RECEIVED: AtomicU64 = AtomicU64::new(0);

/// Bytes of memory that all objects received from outside take, whoever holds them.
pub(crate) fn received_bytes() -> u64 {
    RECEIVED.load(Ordering::Relaxed)
}

/// Memory for an object from outside, in pages of its own: how long it lives has nothing to do with
/// what lies around it.
#[derive(Debug)]
pub struct ReceivedObject {
    pages: Mapping,
    length: usize,
    /// Where in the pages its line tables lie, if it brought any.
    lines: Range<usize>,
}

/// Bytes that an object with these pages takes: they, the entries for them in page tables, and the
/// value that owns them.
fn memory(pages: &Mapping) -> u64 {
    let bytes = pages.len() as u64;
    let owner = size_of::<ReceivedObject>() + size_of::<[usize; 2]>(); // In an `Arc`.
    bytes + bytes / PAGE_SIZE * PAGE_ENTRY + heap::allocated_size(owner) as u64
}

impl ReceivedObject {
    /// Memory for an object of `length` bytes, zeroed, to be filled.
    ///
    /// # Errors
    ///
    /// When there is not enough.
    pub fn with_length(length: usize) -> Result<Self, MappingError> {
        let pages = Mapping::allocate(length.max(1) as u64, Protection::ReadWrite)?;
        RECEIVED.fetch_add(memory(&pages), Ordering::Relaxed);
        Ok(Self {
            pages,
            length,
            lines: 0..0,
        })
    }

    /// Makes the object read-only, and shareable. Line tables behind it are not the object any more.
    #[must_use]
    pub fn seal(mut self) -> Arc<Self> {
        let (object, lines) = lines::split(self.bytes());
        let (object, lines) = (object.len(), lines.len());
        self.lines = object..object + lines;
        self.length = object;
        // The pages are mapped, so this does not fail; if it did, nobody could write them either,
        // but for stray pointers.
        if let Err(error) = self.pages.protect(Protection::Read) {
            log::warn!("a received object stays writable: {error}");
        }
        Arc::new(self)
    }

    /// Bytes of memory that it takes.
    #[must_use]
    pub fn memory(&self) -> u64 {
        memory(&self.pages)
    }

    /// The side archive with its line tables; empty if it brought none.
    #[must_use]
    pub fn lines(&self) -> &[u8] {
        let pages = self.pages.as_slice();
        pages.get(self.lines.clone()).unwrap_or_default()
    }

    fn bytes(&self) -> &[u8] {
        self.pages.as_slice().get(..self.length).unwrap_or_default()
    }
}

impl AsMut<[u8]> for ReceivedObject {
    /// The bytes, to be filled; none once the object is sealed.
    fn as_mut(&mut self) -> &mut [u8] {
        let length = self.length;
        let bytes = self.pages.as_mut_slice().ok();
        bytes
            .and_then(|bytes| bytes.get_mut(..length))
            .unwrap_or_default()
    }
}

impl Drop for ReceivedObject {
    fn drop(&mut self) {
        RECEIVED.fetch_sub(self.memory(), Ordering::Relaxed);
    }
}
