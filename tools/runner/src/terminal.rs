//! The user's terminal as a console.

use crate::error::RunnerError;
use rustix::termios::{self, OptionalActions, Termios};
use std::{io::IsTerminal, os::fd::AsFd};

/// Standard input that passes every key on at once, Ctrl-C included; as before when dropped.
///
/// Output processing stays on, so that messages of the runner look right.
pub struct RawTerminal {
    before: Termios,
}

impl RawTerminal {
    /// Makes the terminal raw; `None` when standard input is none.
    ///
    /// # Errors
    ///
    /// When the terminal does not obey.
    pub fn enter() -> Result<Option<Self>, RunnerError> {
        let input = std::io::stdin();
        if !input.is_terminal() {
            return Ok(None);
        }
        let failed = |error: rustix::io::Errno| RunnerError::Io {
            what: "changing the terminal's mode".into(),
            source: error.into(),
        };
        let before = termios::tcgetattr(input.as_fd()).map_err(failed)?;
        let mut raw = before.clone();
        let output_modes = raw.output_modes;
        raw.make_raw();
        raw.output_modes = output_modes;
        termios::tcsetattr(input.as_fd(), OptionalActions::Now, &raw).map_err(failed)?;
        Ok(Some(Self { before }))
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // There is nobody left to tell.
        let _ = termios::tcsetattr(std::io::stdin().as_fd(), OptionalActions::Now, &self.before);
    }
}

/// What a chunk of typed bytes means.
#[derive(Debug, PartialEq, Eq)]
pub struct Keys {
    /// What goes to the system.
    pub bytes: Vec<u8>,
    /// What is meant for the runner.
    pub request: Option<Request>,
}

/// What the user wants of the runner itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Ctrl-A X: end the machine.
    Leave,
    /// Ctrl-A H: say which keys there are.
    Help,
}

/// Finds the runner's own keys in the stream of typed bytes.
#[derive(Default)]
pub struct KeyFilter {
    escaped: bool,
}

impl KeyFilter {
    const CTRL_A: u8 = 1;

    /// Reads the next bytes. What follows a request in the same chunk is dropped.
    pub fn read(&mut self, typed: &[u8]) -> Keys {
        let mut bytes = Vec::with_capacity(typed.len());
        for &key in typed {
            if !self.escaped {
                if key == Self::CTRL_A {
                    self.escaped = true;
                } else {
                    bytes.push(key);
                }
                continue;
            }
            self.escaped = false;
            match key {
                b'x' | b'X' => {
                    return Keys {
                        bytes,
                        request: Some(Request::Leave),
                    };
                }
                b'h' | b'H' | b'?' => {
                    return Keys {
                        bytes,
                        request: Some(Request::Help),
                    };
                }
                // Ctrl-A twice is one Ctrl-A, for the line editor.
                Self::CTRL_A | b'a' => bytes.push(Self::CTRL_A),
                other => bytes.push(other),
            }
        }
        Keys {
            bytes,
            request: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ctrl_a_x_leaves_even_when_split() {
        let mut filter = KeyFilter::default();
        assert_eq!(
            filter.read(b"ls\x01"),
            Keys {
                bytes: b"ls".into(),
                request: None
            }
        );
        assert_eq!(
            filter.read(b"x"),
            Keys {
                bytes: vec![],
                request: Some(Request::Leave)
            }
        );
    }

    #[test]
    fn ctrl_a_twice_is_one() {
        let keys = KeyFilter::default().read(b"a\x01\x01b\x03");
        assert_eq!(
            keys,
            Keys {
                bytes: b"a\x01b\x03".into(),
                request: None
            }
        );
    }
}
