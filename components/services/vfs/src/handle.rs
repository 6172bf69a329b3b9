//! Open files.

use crate::{Access, Error, File, Metadata, Node, Reason, WriteError, recent::Lookup, walk};
use alloc::{string::String, sync::Arc, vec::Vec};
use core::fmt;

/// What to open a file for, and what to do when it is not there.
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct OpenOptions {
    read: bool,
    write: bool,
    append: bool,
    truncate: bool,
    create: bool,
    exclusive: bool,
}

impl OpenOptions {
    /// For reading a file that exists.
    pub const READ: Self = Self::NONE.read();

    /// For writing a file, made if it is not there and emptied if it is.
    pub const REPLACE: Self = Self::NONE.write().create().truncate();

    /// For writing at the end of a file, made if it is not there.
    pub const APPEND: Self = Self::NONE.append().create();

    const NONE: Self = Self {
        read: false,
        write: false,
        append: false,
        truncate: false,
        create: false,
        exclusive: false,
    };

    /// Nothing yet.
    pub const fn new() -> Self {
        Self::NONE
    }

    /// For reading.
    pub const fn read(mut self) -> Self {
        self.read = true;
        self
    }

    /// For writing.
    pub const fn write(mut self) -> Self {
        self.write = true;
        self
    }

    /// For writing at the end, wherever that is at each write.
    pub const fn append(mut self) -> Self {
        self.write = true;
        self.append = true;
        self
    }

    /// Empties it.
    pub const fn truncate(mut self) -> Self {
        self.truncate = true;
        self
    }

    /// Makes it if it is not there.
    pub const fn create(mut self) -> Self {
        self.create = true;
        self
    }

    /// Makes it, and refuses if it is there.
    pub const fn create_new(mut self) -> Self {
        self.create = true;
        self.exclusive = true;
        self
    }

    /// Opens the file that `path` names.
    ///
    /// # Errors
    ///
    /// When there is none and none is to be made, it is a directory, or it cannot be changed and is
    /// to be written.
    pub fn open(self, path: &str) -> Result<OpenFile, Error> {
        let error = |reason| Error::new(path, reason);
        if self.exclusive {
            return self.create_at(&walk::parent(path)?).map_err(error);
        }
        let lookup = Lookup::of(path);
        if let Some(file) = lookup.as_ref().and_then(Lookup::file) {
            task::safe_point(); // A walk begins with one.
            return self.open_existing(file).map_err(error);
        }
        let place = walk::parent(path)?;
        self.open_at(&place, lookup.as_ref()).map_err(error)
    }

    fn open_at(
        self,
        place: &walk::Place<'_>,
        lookup: Option<&Lookup<'_>>,
    ) -> Result<OpenFile, Reason> {
        match place.node() {
            Ok(Node::File(file)) => {
                if let Some(lookup) = lookup {
                    lookup.remember(place, &file);
                }
                self.open_existing(file)
            }
            Ok(Node::Directory(_)) => Err(Reason::IsADirectory),
            Err(Reason::NotFound) if self.create => self.create_at(place),
            Err(reason) => Err(reason),
        }
    }

    fn open_existing(self, file: Arc<dyn File>) -> Result<OpenFile, Reason> {
        if self.write && file.metadata().read_only {
            return Err(Reason::ReadOnly);
        }
        if self.truncate {
            file.set_length(0)?;
        }
        Ok(self.opened(file))
    }

    /// Makes the file, unless somebody else does so meanwhile.
    fn create_at(self, place: &walk::Place<'_>) -> Result<OpenFile, Reason> {
        let name = match place.name {
            None => return Err(Reason::IsADirectory),
            Some(_) if place.is_directory => return Err(Reason::IsADirectory),
            Some(name) => name,
        };
        match place.directory.create_file(name) {
            Ok(file) => Ok(self.opened(file)),
            Err(Reason::Exists) if !self.exclusive => {
                // As it was there when the file was to be made, it need not be made now.
                let open = Self {
                    create: false,
                    ..self
                };
                open.open_at(place, None)
            }
            Err(reason) => Err(reason),
        }
    }

    fn opened(self, file: Arc<dyn File>) -> OpenFile {
        OpenFile {
            file,
            position: 0,
            options: self,
        }
    }
}

/// A file and a place in it. Dropping it closes the file.
#[derive(Clone)]
pub struct OpenFile {
    file: Arc<dyn File>,
    position: u64,
    options: OpenOptions,
}

impl OpenFile {
    /// What is known of the file.
    #[must_use]
    pub fn metadata(&self) -> Metadata {
        self.file.metadata()
    }

    /// Where the next read or write begins, in bytes from the start.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Goes to a place, which may lie behind the end.
    pub const fn set_position(&mut self, position: u64) {
        self.position = position;
    }

    /// Reads bytes and goes on behind them; 0 at the end of the file.
    ///
    /// # Errors
    ///
    /// When it was not opened for reading, or the medium fails.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Reason> {
        task::safe_point();
        if !self.options.read {
            return Err(Reason::NotOpenedFor(Access::Reading));
        }
        let count = self.file.read_at(self.position, buffer)?;
        self.position = self.position.saturating_add(count as u64);
        Ok(count)
    }

    /// Reads all that follows.
    ///
    /// # Errors
    ///
    /// As [`OpenFile::read`]; [`Reason::NoMemory`] when there is no memory for it.
    pub fn read_to_end(&mut self) -> Result<Vec<u8>, Reason> {
        const CHUNK: usize = 4096;
        let rest = self.metadata().length.saturating_sub(self.position);
        let mut bytes = Vec::new();
        let mut room = usize::try_from(rest)
            .unwrap_or(usize::MAX)
            .saturating_add(1);
        loop {
            bytes.try_reserve(room).map_err(|_| Reason::NoMemory)?;
            let length = bytes.len();
            bytes.resize(bytes.capacity(), 0);
            let count = self.read(bytes.get_mut(length..).unwrap_or(&mut []))?;
            bytes.truncate(length + count);
            if count == 0 {
                return Ok(bytes);
            }
            room = if bytes.len() == bytes.capacity() {
                CHUNK
            } else {
                1
            };
        }
    }

    /// Writes some bytes and goes on behind them; says how many, at least one unless `bytes` is empty.
    ///
    /// # Errors
    ///
    /// When it was not opened for writing, or there is no room for one byte.
    pub fn write(&mut self, bytes: &[u8]) -> Result<usize, Reason> {
        task::safe_point();
        if !self.options.write {
            return Err(Reason::NotOpenedFor(Access::Writing));
        }
        if self.options.append {
            return self.file.append(bytes);
        }
        let count = self.file.write_at(self.position, bytes)?;
        self.position = self.position.saturating_add(count as u64);
        Ok(count)
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    ///
    /// As [`OpenFile::write`], with what was written before; that stays.
    pub fn write_all(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        let mut written = 0;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            let failed = |reason| WriteError {
                written,
                wanted: bytes.len(),
                reason,
            };
            match self.write(rest) {
                Ok(0) => return Err(failed(Reason::Full)),
                Ok(count) => written += count,
                Err(reason) => return Err(failed(reason)),
            }
        }
        Ok(())
    }

    /// Cuts the file off, or lengthens it with zeros.
    ///
    /// # Errors
    ///
    /// When it was not opened for writing, or cannot be so long.
    pub fn set_length(&self, length: u64) -> Result<(), Reason> {
        task::safe_point();
        if !self.options.write {
            return Err(Reason::NotOpenedFor(Access::Writing));
        }
        self.file.set_length(length)
    }

    /// The contents, of a file that lies in memory for ever and never changes.
    #[must_use]
    pub fn bytes(&self) -> Option<&'static [u8]> {
        self.file.bytes()
    }

    /// Whether both are the same file.
    #[must_use]
    pub fn is_same_file(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.file, &other.file)
    }
}

impl fmt::Debug for OpenFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenFile")
            .field("position", &self.position)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// The contents of the file that `path` names.
///
/// # Errors
///
/// When it cannot be opened or read, or there is no memory for its contents.
pub fn read(path: &str) -> Result<Vec<u8>, Error> {
    let error = |reason| Error::new(path, reason);
    OpenOptions::READ.open(path)?.read_to_end().map_err(error)
}

/// The contents of the file that `path` names, with what is not UTF-8 replaced.
///
/// # Errors
///
/// As [`read`].
pub fn read_text(path: &str) -> Result<String, Error> {
    let bytes = read(path)?;
    Ok(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}
