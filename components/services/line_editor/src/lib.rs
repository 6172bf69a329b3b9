//! Editing one line on a terminal: bytes in, bytes out.
//!
//! The caller reads bytes from wherever they come, gives them to [`Editor::feed`] and prints what
//! that writes; a finished line comes back as an [`Event`]. So the whole editor is a pure core that
//! is tested on the host, and the shell decides where the bytes come from.
//!
//! Principles: whatever arrives is harmless: invalid UTF-8, unknown escape sequences and control
//! bytes are dropped, a pasted line break does not run a command, a line has a limit. The screen is
//! never read; what differs from what it shows is written, so a line typed at its end costs one
//! byte a key. Keys are those of GNU readline.
//!
//! Neighbours: the shell. Left out: characters that are not one column wide, several lines, `vi`
//! keys. No package was taken: those that are `no_std` lose keys or complete nothing.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod buffer;
mod completion;
mod editor;
mod history;
mod keys;
mod screen;
#[cfg(test)]
mod tests;

pub use completion::{Completer, Completion, NoCompletion};
pub use editor::{Editor, Event, Progress};

/// Longest line in bytes. A longer one is refused whole.
pub const LINE_LIMIT: usize = 32 * 1024;
