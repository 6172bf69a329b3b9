//! Bytes → keys.

/// What the user pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Char(char),
    /// Control and this lower-case letter.
    Control(char),
    /// Alt (or Escape before) and this character.
    Alt(char),
    Enter,
    Tab,
    Backspace,
    AltBackspace,
    Delete,
    Left,
    Right,
    Up,
    Down,
    Home,
    End,
    WordLeft,
    WordRight,
    PasteBegin,
    PasteEnd,
}

/// Longest parameter string of an escape sequence that is kept; a longer one is dropped whole.
const PARAMETERS: usize = 8;

/// Decodes UTF-8 and the escape sequences of ECMA-48 and xterm, one byte at a time.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    state: State,
    /// The last byte was a carriage return, so that a line feed behind it is the same Enter.
    returned: bool,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Ground,
    /// Inside a character of several bytes.
    Utf8 {
        bytes: [u8; 4],
        length: usize,
        expected: usize,
    },
    /// Behind Escape.
    Escape,
    /// Behind Escape `O`.
    SingleShift,
    /// Behind Escape `[`.
    Sequence {
        parameters: [u8; PARAMETERS],
        length: usize,
    },
}

impl Decoder {
    /// The key that `byte` completes, if it does.
    pub(crate) fn accept(&mut self, byte: u8) -> Option<Key> {
        let returned = core::mem::replace(&mut self.returned, false);
        let state = core::mem::take(&mut self.state);
        match state {
            State::Ground => self.ground(byte, returned),
            State::Utf8 {
                bytes,
                length,
                expected,
            } => self.continued(byte, bytes, length, expected),
            State::Escape => self.escaped(byte),
            State::SingleShift => cursor_key(byte),
            State::Sequence { parameters, length } => self.sequence(byte, parameters, length),
        }
    }

    fn ground(&mut self, byte: u8, returned: bool) -> Option<Key> {
        match byte {
            b'\n' if returned => None,
            b'\r' | b'\n' => {
                self.returned = byte == b'\r';
                Some(Key::Enter)
            }
            b'\t' => Some(Key::Tab),
            0x08 | 0x7f => Some(Key::Backspace),
            0x1b => {
                self.state = State::Escape;
                None
            }
            0x01..=0x1a => Some(Key::Control(char::from(byte - 1 + b'a'))),
            0x20..=0x7e => Some(Key::Char(char::from(byte))),
            0xc2..=0xf4 => {
                let expected = match byte {
                    0xc2..=0xdf => 2,
                    0xe0..=0xef => 3,
                    _ => 4,
                };
                self.state = State::Utf8 {
                    bytes: [byte, 0, 0, 0],
                    length: 1,
                    expected,
                };
                None
            }
            _ => None,
        }
    }

    fn continued(
        &mut self,
        byte: u8,
        mut bytes: [u8; 4],
        length: usize,
        expected: usize,
    ) -> Option<Key> {
        if byte & 0xc0 != 0x80 {
            // A character that was cut off; this byte begins something new.
            return self.ground(byte, false);
        }
        *bytes.get_mut(length)? = byte;
        let length = length + 1;
        if length < expected {
            self.state = State::Utf8 {
                bytes,
                length,
                expected,
            };
            return None;
        }
        let text = core::str::from_utf8(bytes.get(..length)?).ok()?;
        text.chars()
            .next()
            .filter(|character| !character.is_control())
            .map(Key::Char)
    }

    fn escaped(&mut self, byte: u8) -> Option<Key> {
        match byte {
            b'[' => {
                self.state = State::Sequence {
                    parameters: [0; PARAMETERS],
                    length: 0,
                }
            }
            b'O' => self.state = State::SingleShift,
            0x1b => self.state = State::Escape,
            0x08 | 0x7f => return Some(Key::AltBackspace),
            0x20..=0x7e => return Some(Key::Alt(char::from(byte))),
            // Escape alone, then another key.
            _ => return self.ground(byte, false),
        }
        None
    }

    fn sequence(
        &mut self,
        byte: u8,
        mut parameters: [u8; PARAMETERS],
        length: usize,
    ) -> Option<Key> {
        match byte {
            // Parameter and intermediate bytes.
            0x20..=0x3f => {
                if let Some(place) = parameters.get_mut(length) {
                    *place = byte;
                }
                self.state = State::Sequence {
                    parameters,
                    length: length.saturating_add(1),
                };
                None
            }
            0x40..=0x7e => finish_sequence(byte, parameters.get(..length)?),
            _ => self.ground(byte, false),
        }
    }
}

fn finish_sequence(last: u8, parameters: &[u8]) -> Option<Key> {
    match (last, parameters) {
        // With Control or Alt held down.
        (b'C', b"1;5" | b"1;3") => Some(Key::WordRight),
        (b'D', b"1;5" | b"1;3") => Some(Key::WordLeft),
        (b'~', b"1" | b"7") => Some(Key::Home),
        (b'~', b"4" | b"8") => Some(Key::End),
        (b'~', b"3") => Some(Key::Delete),
        (b'~', b"200") => Some(Key::PasteBegin),
        (b'~', b"201") => Some(Key::PasteEnd),
        (_, b"") => cursor_key(last),
        _ => None,
    }
}

fn cursor_key(byte: u8) -> Option<Key> {
    match byte {
        b'A' => Some(Key::Up),
        b'B' => Some(Key::Down),
        b'C' => Some(Key::Right),
        b'D' => Some(Key::Left),
        b'H' => Some(Key::Home),
        b'F' => Some(Key::End),
        _ => None,
    }
}
