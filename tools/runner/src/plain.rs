//! What a terminal shows, as plain text, for files, pipes and tests.

/// Removes escape sequences and carriage returns from a stream, over the borders of its pieces.
#[derive(Default)]
pub struct Plain {
    state: State,
}

#[derive(Clone, Copy, Default)]
enum State {
    #[default]
    Text,
    Escape,
    Sequence,
}

impl Plain {
    /// Appends what is left of `bytes` to `out`.
    pub fn read(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for &byte in bytes {
            self.state = match (self.state, byte) {
                (State::Text, 0x1B) => State::Escape,
                (State::Text, b'\r' | 0x07) => State::Text,
                (State::Text, _) => {
                    out.push(byte);
                    State::Text
                }
                (State::Escape, b'[') => State::Sequence,
                (State::Sequence, 0x20..=0x3F) => State::Sequence,
                (State::Escape | State::Sequence, _) => State::Text,
            };
        }
    }
}

/// Tells the boot's output, the firmware's included, from what the system's commands print.
pub struct Boot {
    line: Vec<u8>,
    over: bool,
}

impl Boot {
    /// The line with which the boot ends begins so.
    const LAST_LINE: &[u8] = b"strake ";

    /// At the start of a boot; with `over`, everything counts as the commands' output.
    #[must_use]
    pub fn new(over: bool) -> Self {
        Self {
            line: Vec::new(),
            over,
        }
    }

    /// How many of the plain `bytes` belong to the boot.
    pub fn read(&mut self, bytes: &[u8]) -> usize {
        if self.over {
            return 0;
        }
        for (&byte, count) in bytes.iter().zip(1..) {
            if byte != b'\n' {
                self.line.push(byte);
                continue;
            }
            // Progress is written over itself, so the last line may have other text before it.
            let wanted = Self::LAST_LINE;
            self.over = self
                .line
                .windows(wanted.len())
                .any(|window| window == wanted)
                && self.line.ends_with(b" linked");
            self.line.clear();
            if self.over {
                return count;
            }
        }
        bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_vanish_even_when_split() {
        let mut plain = Plain::default();
        let mut out = Vec::new();
        plain.read(b"a\x1b[2", &mut out);
        plain.read(b"Jb\r\n\x1b", &mut out);
        plain.read(b"[0;1mc", &mut out);
        assert_eq!(out, b"ab\nc");
    }

    #[test]
    fn the_boot_ends_with_its_last_line() {
        let mut boot = Boot::new(false);
        let text = b"linking 1 of 2strake 0.1.0: 2 components, 5 relocations linked\nhello\n";
        assert_eq!(boot.read(&text[..10]), 10);
        assert_eq!(text[10 + boot.read(&text[10..])..], *b"hello\n");
        assert_eq!(boot.read(b"more\n"), 0);
    }
}
