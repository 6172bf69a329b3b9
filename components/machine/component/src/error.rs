//! Why a component could not be started.

use core::fmt::{self, Write};

/// Longest message in bytes; the rest is cut.
const CAPACITY: usize = 200;

/// Why a component could not be started or stopped, in words for a person.
///
/// The text is kept in place, because the first components start before there is a heap.
#[derive(Clone)]
pub struct StartError {
    message: [u8; CAPACITY],
    length: usize,
}

impl StartError {
    /// An error with the message that `reason` displays, cut at 200 bytes.
    #[must_use]
    pub fn new(reason: impl fmt::Display) -> Self {
        let mut error = Self {
            message: [0; CAPACITY],
            length: 0,
        };
        // A full buffer is the only failure, and a cut message is what is promised.
        let _ = write!(error, "{reason}");
        error
    }

    /// The message.
    #[must_use]
    pub fn message(&self) -> &str {
        let bytes = self.message.get(..self.length).unwrap_or(&[]);
        core::str::from_utf8(bytes).unwrap_or("(message cut inside a character)")
    }
}

impl Write for StartError {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            let mut encoded = [0; 4];
            let bytes = character.encode_utf8(&mut encoded).as_bytes();
            let end = self.length.checked_add(bytes.len()).ok_or(fmt::Error)?;
            self.message
                .get_mut(self.length..end)
                .ok_or(fmt::Error)?
                .copy_from_slice(bytes);
            self.length = end;
        }
        Ok(())
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl fmt::Debug for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.message(), f)
    }
}

impl<E: core::error::Error> From<E> for StartError {
    fn from(error: E) -> Self {
        Self::new(error)
    }
}
