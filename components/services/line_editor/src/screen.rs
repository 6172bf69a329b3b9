//! What the terminal shows of the line, and what to write when that changes.

use alloc::{format, vec::Vec};

/// The line as the terminal shows it. Knows nothing of what stands above it.
#[derive(Debug, Default)]
pub(crate) struct Screen {
    shown: Vec<char>,
    cursor: usize,
}

impl Screen {
    /// The terminal's cursor stands at the start of an empty line.
    pub(crate) fn reset(&mut self) {
        self.shown.clear();
        self.cursor = 0;
    }

    /// Makes the terminal show `line` with the cursor at `cursor`.
    pub(crate) fn show(&mut self, line: &[char], cursor: usize, out: &mut Vec<u8>) {
        let same = self
            .shown
            .iter()
            .zip(line)
            .take_while(|(old, new)| old == new)
            .count();
        if same < line.len() || same < self.shown.len() {
            self.go(same, out);
            for character in line.iter().skip(same) {
                let mut bytes = [0; 4];
                out.extend_from_slice(character.encode_utf8(&mut bytes).as_bytes());
            }
            if self.shown.len() > line.len() {
                out.extend_from_slice(b"\x1b[K");
            }
            self.shown.truncate(same);
            self.shown.extend(line.iter().skip(same));
            self.cursor = line.len();
        }
        self.go(cursor, out);
    }

    /// Leaves the line behind and goes to the start of the next.
    pub(crate) fn leave(&mut self, out: &mut Vec<u8>) {
        self.go(self.shown.len(), out);
        out.push(b'\n');
        self.reset();
    }

    fn go(&mut self, column: usize, out: &mut Vec<u8>) {
        let left = self.cursor.saturating_sub(column);
        let right = column.saturating_sub(self.cursor);
        if left > 4 {
            out.extend_from_slice(format!("\x1b[{left}D").as_bytes());
        } else {
            out.extend(core::iter::repeat_n(b'\x08', left));
        }
        if right > 0 {
            out.extend_from_slice(format!("\x1b[{right}C").as_bytes());
        }
        self.cursor = column;
    }
}
