//! Reading lines.

use alloc::{string::String, sync::Arc, vec::Vec};
use task::{StreamError, Streams};

/// Longest line; what comes behind is the next line, so that endless input takes no endless memory.
const LIMIT: usize = 64 * 1024;

/// The lines of the current task's input, without their line breaks. Bytes that are not UTF-8 are
/// replaced.
pub struct Lines {
    streams: Arc<dyn Streams>,
    pending: Vec<u8>,
    at_end: bool,
}

impl Lines {
    /// The lines of the current task's input.
    #[must_use]
    pub fn new() -> Self {
        Self {
            streams: task::streams(),
            pending: Vec::new(),
            at_end: false,
        }
    }

    fn take(&mut self, length: usize) -> String {
        let line: Vec<u8> = self.pending.drain(..length).collect();
        String::from_utf8_lossy(&line).into_owned()
    }
}

impl Default for Lines {
    fn default() -> Self {
        Self::new()
    }
}

impl Iterator for Lines {
    type Item = Result<String, StreamError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut searched = 0;
        loop {
            let fresh = self.pending.get(searched..).unwrap_or(&[]);
            if let Some(position) = fresh.iter().position(|&byte| byte == b'\n') {
                let mut line = self.take(searched + position + 1);
                line.truncate(line.trim_end_matches(['\r', '\n']).len());
                return Some(Ok(line));
            }
            if self.pending.len() >= LIMIT || (self.at_end && !self.pending.is_empty()) {
                return Some(Ok(self.take(self.pending.len())));
            }
            if self.at_end {
                return None;
            }
            searched = self.pending.len();
            let mut buffer = [0; 512];
            match self.streams.read(&mut buffer) {
                Ok(0) => self.at_end = true,
                Ok(count) => self.pending.extend(buffer.iter().take(count)),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
