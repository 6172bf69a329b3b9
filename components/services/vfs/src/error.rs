//! What can be wrong with a path or a file.

use crate::path::{NAME_LIMIT, PATH_LIMIT};
use alloc::borrow::ToOwned;
use alloc::string::String;
use core::fmt::{self, Write};

/// Most characters of a path that a message shows.
const SHOWN: usize = 120;

/// Why an operation on a file or directory is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The path is empty.
    EmptyPath,
    /// The path is longer than [`PATH_LIMIT`].
    PathTooLong {
        /// Its length in bytes, with the current directory if it is relative.
        length: usize,
    },
    /// A name is longer than [`NAME_LIMIT`].
    NameTooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// A name has a control character.
    ControlCharacter {
        /// The character.
        character: char,
    },
    /// The path has no name at its end that could be made, removed or moved.
    NoName,
    /// There is nothing of this name.
    NotFound,
    /// The directory at which the path begins was removed.
    NoCurrentDirectory,
    /// There is something of this name already.
    Exists,
    /// A directory was needed.
    NotADirectory,
    /// A file was needed.
    IsADirectory,
    /// The directory has entries.
    NotEmpty,
    /// Something is mounted there.
    InUse,
    /// A directory cannot be moved into itself or below.
    IntoItself,
    /// Source and target lie in different file systems.
    OtherFileSystem,
    /// The file system, or the file, cannot be changed.
    ReadOnly,
    /// The file was not opened for this.
    NotOpenedFor(Access),
    /// The file system has no room left.
    Full,
    /// A file cannot be so long here.
    TooLong {
        /// Bytes that it would have.
        length: u64,
        /// Most that it may have.
        limit: u64,
    },
    /// There is no memory for its contents.
    NoMemory,
    /// What the medium holds is not what was put there.
    Corrupt,
    /// No file system is mounted.
    NothingMounted,
}

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading.
    Reading,
    /// Writing.
    Writing,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::EmptyPath => "the path is empty",
            Self::PathTooLong { length } => {
                return write!(
                    f,
                    "the path has {length} bytes; at most {PATH_LIMIT} are allowed"
                );
            }
            Self::NameTooLong { length } => {
                return write!(
                    f,
                    "the name has {length} bytes; at most {NAME_LIMIT} are allowed"
                );
            }
            Self::ControlCharacter { character } => {
                let number = u32::from(*character);
                return write!(f, "the control character U+{number:04X} is in no name");
            }
            Self::NoName => "there is no name at the end of the path",
            Self::NotFound => "there is no such file or directory",
            Self::NoCurrentDirectory => "the current directory does not exist any more",
            Self::Exists => "it exists already",
            Self::NotADirectory => "it is not a directory",
            Self::IsADirectory => "it is a directory",
            Self::NotEmpty => "the directory is not empty",
            Self::InUse => "a file system is mounted there",
            Self::IntoItself => "a directory cannot be moved into itself",
            Self::OtherFileSystem => "source and target are in different file systems",
            Self::ReadOnly => "it can only be read",
            Self::NotOpenedFor(Access::Reading) => "the file was not opened for reading",
            Self::NotOpenedFor(Access::Writing) => "the file was not opened for writing",
            Self::Full => "the file system is full",
            Self::TooLong { length, limit } => {
                return write!(f, "the file would have {length} bytes; at most {limit} fit");
            }
            Self::NoMemory => "there is no memory for its contents",
            Self::Corrupt => "its contents are corrupt",
            Self::NothingMounted => "no file system is mounted",
        };
        f.write_str(text)
    }
}

impl core::error::Error for Reason {}

/// An operation that was not done: on what, and why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    path: String,
    /// How much of the path leads to what is wrong.
    end: usize,
    reason: Reason,
}

impl Error {
    /// The error that `reason` is for all of `path`.
    #[must_use]
    #[cold]
    pub fn new(path: &str, reason: Reason) -> Self {
        Self::at(path, path.len(), reason)
    }

    /// The error that `reason` is for the first `end` bytes of `path`.
    #[cold]
    pub(crate) fn at(path: &str, end: usize, reason: Reason) -> Self {
        Self {
            path: path.to_owned(),
            end,
            reason,
        }
    }

    /// What is wrong.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// The path, as it was given.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", Shown(&self.path))?;
        match self.path.get(..self.end) {
            Some(part) if part.len() < self.path.len() && !part.is_empty() => {
                write!(f, "{}: {}", Shown(part), self.reason)
            }
            _ => write!(f, "{}", self.reason),
        }
    }
}

impl core::error::Error for Error {}

/// A path as a message shows it: without what a terminal would act on, and not without end.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'p>(pub &'p str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("''");
        }
        for (index, character) in self.0.chars().enumerate() {
            if index == SHOWN {
                return f.write_char('…');
            }
            if character.is_control() {
                write!(f, "{}", character.escape_default())?;
            } else {
                f.write_char(character)?;
            }
        }
        Ok(())
    }
}

/// A write that ended before all was written. What was written stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteError {
    /// Bytes that were written.
    pub written: usize,
    /// Bytes that were to be written.
    pub wanted: usize,
    /// Why no more.
    pub reason: Reason,
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            written, wanted, ..
        } = self;
        write!(
            f,
            "{}; {written} of {wanted} bytes were written",
            self.reason
        )
    }
}

impl core::error::Error for WriteError {}

#[cfg(test)]
mod tests {
    use super::{Error, Reason, SHOWN};
    use alloc::string::ToString;

    #[test]
    fn names_path_and_place() {
        assert_eq!(
            Error::new("/a/b", Reason::NotFound).to_string(),
            "/a/b: there is no such file or directory"
        );
        assert_eq!(
            Error::at("/a/b", 2, Reason::NotADirectory).to_string(),
            "/a/b: /a: it is not a directory"
        );
        assert_eq!(
            Error::new("", Reason::EmptyPath).to_string(),
            "'': the path is empty"
        );
    }

    #[test]
    fn shows_nothing_that_a_terminal_acts_on() {
        let long = "\u{1b}[2J".to_string() + &"x".repeat(64 << 10);
        let text = Error::new(&long, Reason::NotFound).to_string();
        assert!(text.starts_with("\\u{1b}[2Jxx") && !text.contains('\u{1b}'));
        assert!(text.chars().count() < SHOWN + 60, "{text}");
    }
}
