//! Where a task reads from and writes to.

use crate::with_current;
use alloc::{string::String, sync::Arc};
use core::fmt;

/// Input, output and error output of a task, and the directory that it works in.
///
/// Implemented above (the console, a pipe, a file); inherited by the tasks that a task spawns. `read` is a
/// safe point: a killed task does not return from it.
pub trait Streams: Send + Sync {
    /// Reads at least one byte, waiting for it; 0 at the end of input.
    ///
    /// # Errors
    ///
    /// When the stream cannot be read.
    fn read(&self, buffer: &mut [u8]) -> Result<usize, StreamError>;

    /// Writes some bytes and says how many, at least one unless `bytes` is empty.
    ///
    /// # Errors
    ///
    /// When nobody can read what would be written.
    fn write(&self, bytes: &[u8]) -> Result<usize, StreamError>;

    /// The same for the error output.
    ///
    /// # Errors
    ///
    /// When nobody can read what would be written.
    fn write_error(&self, bytes: &[u8]) -> Result<usize, StreamError>;

    /// Whether a person sits at the other end of the output.
    fn is_terminal(&self) -> bool {
        false
    }

    /// The directory at which relative paths begin, as an absolute path in its shortest form; none is
    /// the root.
    fn directory(&self) -> Option<Arc<str>> {
        None
    }

    /// The absolute path of the file that is read, as it was when the stream was made; none when anything
    /// else is read.
    fn input_path(&self) -> Option<Arc<str>> {
        None
    }

    /// The same of the file that output is written to.
    fn output_path(&self) -> Option<Arc<str>> {
        None
    }

    /// Where the last output that failed was to go, and why it did not, if more of that is known than the
    /// error has said.
    fn output_failure(&self) -> Option<String> {
        None
    }
}

/// Why a stream could not be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamError {
    /// The other end is gone.
    Closed,
    /// The user asked for an end of what was going on (Ctrl-C).
    Interrupted,
    /// The stream has no such direction.
    Unsupported,
    /// The device behind the stream failed.
    Device,
    /// There is no room for more where the stream leads.
    Full,
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the other end of the stream is closed",
            Self::Interrupted => "interrupted by the user",
            Self::Unsupported => "the stream has no such direction",
            Self::Device => "the device behind the stream failed",
            Self::Full => "there is no room for more where the stream leads",
        })
    }
}

impl core::error::Error for StreamError {}

/// Streams that lead nowhere: input is at its end, output is dropped.
#[derive(Clone, Copy, Debug, Default)]
pub struct NullStreams;

impl Streams for NullStreams {
    fn read(&self, _buffer: &mut [u8]) -> Result<usize, StreamError> {
        Ok(0)
    }

    fn write(&self, bytes: &[u8]) -> Result<usize, StreamError> {
        Ok(bytes.len())
    }

    fn write_error(&self, bytes: &[u8]) -> Result<usize, StreamError> {
        Ok(bytes.len())
    }
}

/// The current task's streams; streams that lead nowhere before there are tasks.
#[must_use]
pub fn streams() -> Arc<dyn Streams> {
    with_current(|task| task.streams()).unwrap_or_else(|| Arc::new(NullStreams))
}
