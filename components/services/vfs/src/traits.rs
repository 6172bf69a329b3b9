//! What a file system implements.

use crate::Reason;
use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::any::Any;

/// Whether something is a file or a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// A directory.
    Directory,
}

impl Kind {
    /// The kind in one word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Directory => "directory",
        }
    }
}

/// What is known of a file or directory besides its contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// What it is.
    pub kind: Kind,
    /// Bytes of a file, entries of a directory. 0 where it is not known before reading.
    pub length: u64,
    /// Bytes of memory or of the medium that it takes, with what is needed to find it.
    pub allocated: u64,
    /// When it was changed last, in nanoseconds since the boot.
    pub modified_ns: u64,
    /// Whether it can only be read.
    pub read_only: bool,
}

/// A file's contents.
///
/// A file that was removed lives on as long as somebody has it. All methods may be called by several
/// tasks at once; a write is seen by another task's read as a whole or not at all.
pub trait File: Send + Sync {
    /// What is known of it.
    fn metadata(&self) -> Metadata;

    /// Reads bytes from `offset` on and says how many; 0 at the end of the file.
    ///
    /// # Errors
    ///
    /// When the medium fails.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, Reason>;

    /// Writes bytes from `offset` on and says how many: fewer when there is no room for more. What
    /// lies between the end of the file and `offset` reads as zeros.
    ///
    /// # Errors
    ///
    /// When nothing can be written.
    fn write_at(&self, _offset: u64, _bytes: &[u8]) -> Result<usize, Reason> {
        Err(Reason::ReadOnly)
    }

    /// Writes bytes at the end, wherever other writers have left that, and says how many.
    ///
    /// # Errors
    ///
    /// When nothing can be written.
    fn append(&self, _bytes: &[u8]) -> Result<usize, Reason> {
        Err(Reason::ReadOnly)
    }

    /// Cuts the file off, or lengthens it with zeros.
    ///
    /// # Errors
    ///
    /// When it cannot be so long.
    fn set_length(&self, _length: u64) -> Result<(), Reason> {
        Err(Reason::ReadOnly)
    }

    /// The contents, of a file that lies in memory for ever and never changes.
    fn bytes(&self) -> Option<&'static [u8]> {
        None
    }
}

/// A file or a directory.
#[derive(Clone)]
pub enum Node {
    /// A file.
    File(Arc<dyn File>),
    /// A directory.
    Directory(Arc<dyn Directory>),
}

impl Node {
    /// What is known of it.
    #[must_use]
    pub fn metadata(&self) -> Metadata {
        match self {
            Self::File(file) => file.metadata(),
            Self::Directory(directory) => directory.metadata(),
        }
    }

    /// Whether both are the same file or directory.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(one), Self::File(other)) => Arc::ptr_eq(one, other),
            (Self::Directory(one), Self::Directory(other)) => same(one, other),
            _ => false,
        }
    }
}

/// Whether both are the same directory.
pub(crate) fn same(one: &Arc<dyn Directory>, other: &Arc<dyn Directory>) -> bool {
    Arc::ptr_eq(one, other)
}

/// An entry of a directory.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name.
    pub name: Box<str>,
    /// What is known of it.
    pub metadata: Metadata,
}

/// What names stand for.
///
/// Names that arrive here have been checked: they are not empty, `.` or `..`, not longer than
/// [`crate::path::NAME_LIMIT`], and have neither `/` nor control characters. As `Any`, so that a file
/// system recognises its own directory when something is moved.
pub trait Directory: Any + Send + Sync {
    /// What is known of it.
    fn metadata(&self) -> Metadata;

    /// Whether a name in this directory, and in those above it in the same file system, stands for the same
    /// file until something is removed or renamed through this crate; then an open need not ask each
    /// time. Not so where entries come and go by themselves.
    fn is_steady(&self) -> bool {
        false
    }

    /// What has this name.
    ///
    /// # Errors
    ///
    /// [`Reason::NotFound`], or when the medium fails.
    fn look_up(&self, name: &str) -> Result<Node, Reason>;

    /// All entries, in any order.
    ///
    /// # Errors
    ///
    /// When the medium fails.
    fn entries(&self) -> Result<Vec<Entry>, Reason>;

    /// Makes an empty file.
    ///
    /// # Errors
    ///
    /// [`Reason::Exists`] when the name is taken, or when there is no room.
    fn create_file(&self, _name: &str) -> Result<Arc<dyn File>, Reason> {
        Err(Reason::ReadOnly)
    }

    /// Makes an empty directory.
    ///
    /// # Errors
    ///
    /// [`Reason::Exists`] when the name is taken, or when there is no room.
    fn create_directory(&self, _name: &str) -> Result<Arc<dyn Directory>, Reason> {
        Err(Reason::ReadOnly)
    }

    /// Removes an entry of the given kind, a directory only when it is empty.
    ///
    /// # Errors
    ///
    /// When there is none, it is of the other kind, or a directory with entries.
    fn remove(&self, _name: &str, _kind: Kind) -> Result<(), Reason> {
        Err(Reason::ReadOnly)
    }

    /// Moves an entry to `target` under a new name, in one step: nobody sees both names, or none. A
    /// file takes the place of a file, a directory that of an empty directory.
    ///
    /// # Errors
    ///
    /// When there is no such entry, what has the new name cannot be replaced, a directory would
    /// come into itself, or `target` belongs to another file system.
    fn rename(
        &self,
        _name: &str,
        _target: &Arc<dyn Directory>,
        _new_name: &str,
    ) -> Result<(), Reason> {
        Err(Reason::ReadOnly)
    }
}

/// How much room a file system has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes that it may take.
    pub total: u64,
    /// Bytes that it takes.
    pub used: u64,
}

/// A tree of directories and files that can be mounted.
pub trait FileSystem: Send + Sync {
    /// What it is called, by `df`.
    fn name(&self) -> &'static str;

    /// Its topmost directory: the same one each time.
    fn root(&self) -> Arc<dyn Directory>;

    /// How much room it has.
    fn usage(&self) -> Usage;

    /// Whether it can only be read.
    fn is_read_only(&self) -> bool;
}

/// What [`File::read_at`] is for contents that lie in memory in one piece.
#[must_use]
pub fn read_slice(contents: &[u8], offset: u64, buffer: &mut [u8]) -> usize {
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    let rest = contents.get(start..).unwrap_or_default();
    let count = rest.len().min(buffer.len());
    if let (Some(from), Some(to)) = (rest.get(..count), buffer.get_mut(..count)) {
        to.copy_from_slice(from);
    }
    count
}
