//! What a terminal shows, as plain text.

/// Removes escape sequences and carriage returns from a stream, over the borders of its pieces.
#[derive(Default)]
pub(crate) struct Plain {
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
    pub(crate) fn read(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
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
}
