//! Cooked mode: a line at a time, with echo and erasing.

use crate::{input, output};
use alloc::vec::Vec;
use mutex::Mutex;
use task::LockRank;

/// Longest line in bytes, as long as a terminal's elsewhere; more is refused with a bell.
const LIMIT: usize = 4096;

/// Readers come with whatever they hold but the locks of `push`.
const RANK: LockRank = LockRank::new(50);

/// The line that is being typed, or read.
struct Line {
    bytes: Vec<u8>,
    /// Bytes of a finished line that were read already; `None` while it is typed.
    read: Option<usize>,
}

#[used]
static LINE: Mutex<Line> = Mutex::ranked(
    RANK,
    Line {
        bytes: Vec::new(),
        read: None,
    },
);

/// Reads from the current line, after waiting for the user to finish it; 0 after Ctrl-D at its
/// start.
pub(crate) fn read(buffer: &mut [u8]) -> usize {
    let mut line = LINE.lock();
    while line.read.is_none() {
        let mut byte = [0];
        input::take(&mut byte);
        let [byte] = byte;
        line.accept(byte);
    }
    line.take(buffer)
}

impl Line {
    fn accept(&mut self, byte: u8) {
        match byte {
            b'\r' | b'\n' => {
                output::write(b"\n");
                self.bytes.push(b'\n');
                self.read = Some(0);
            }
            // Ctrl-D: what there is, without a line break.
            0x04 => self.read = Some(0),
            0x08 | 0x7f => self.erase(),
            0x15 => {
                while !self.bytes.is_empty() {
                    self.erase();
                }
            }
            // Ctrl-C without a job to kill drops the line.
            input::INTERRUPT => {
                output::write(b"^C\n");
                self.bytes.clear();
            }
            b'\t' | 0x20..=0x7e | 0x80..=0xff if self.bytes.len() < LIMIT => {
                output::write(&[byte]);
                self.bytes.push(byte);
            }
            _ => output::write(b"\x07"),
        }
    }

    fn erase(&mut self) {
        // The bytes of one character.
        while let Some(byte) = self.bytes.pop() {
            if byte & 0xc0 != 0x80 {
                output::write(b"\x08 \x08");
                break;
            }
        }
    }

    fn take(&mut self, buffer: &mut [u8]) -> usize {
        let read = self.read.unwrap_or(0);
        let rest = self.bytes.get(read..).unwrap_or(&[]);
        let count = rest.len().min(buffer.len());
        for (place, byte) in buffer.iter_mut().zip(rest) {
            *place = *byte;
        }
        if count == rest.len() {
            self.bytes.clear();
            self.read = None;
        } else {
            self.read = Some(read + count);
        }
        count
    }
}
