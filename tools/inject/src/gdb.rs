//! The remote protocol of gdb, as far as QEMU's server speaks it and an injector needs it
//! ("Debugging with GDB", appendix E).

use crate::error::InjectError;
use std::{
    io::{ErrorKind, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::{Duration, Instant},
};

/// How long an answer of the server may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// How long the server is silent when it has told all.
const QUIET: Duration = Duration::from_millis(300);

/// Bytes of the registers that are read: 16 general ones, the instruction pointer, the flags.
const REGISTER_BYTES: usize = 17 * 8 + 4;

/// The register number of the instruction pointer.
pub(crate) const RIP: usize = 16;

/// The register number of the stack pointer.
pub(crate) const RSP: usize = 7;

/// General registers, in gdb's order: rax rbx rcx rdx rsi rdi rbp rsp r8 … r15 rip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Registers {
    /// Their values.
    pub(crate) values: [u64; 17],
    /// The flags.
    pub(crate) flags: u32,
}

impl Registers {
    pub(crate) const fn rip(&self) -> u64 {
        self.values[RIP]
    }

    pub(crate) const fn rsp(&self) -> u64 {
        self.values[RSP]
    }

    /// Whether the CPU takes interrupts.
    pub(crate) const fn interrupts_enabled(&self) -> bool {
        self.flags & 1 << 9 != 0
    }
}

/// How a wait for the machine's stop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The machine stands still.
    Stopped,
    /// It still runs.
    Running,
}

/// A connection to QEMU's server. The machine stands still when it is made.
pub(crate) struct Gdb {
    stream: UnixStream,
    received: Vec<u8>,
}

impl Gdb {
    /// Connects to the socket at `path`.
    pub(crate) fn connect(path: &Path) -> Result<Self, InjectError> {
        let end = Instant::now() + ANSWER_LIMIT;
        loop {
            match UnixStream::connect(path) {
                Ok(stream) => {
                    let mut gdb = Self {
                        stream,
                        received: Vec::new(),
                    };
                    gdb.ask("?")?;
                    // QEMU also tells by itself that the machine has stopped, sooner or later.
                    while gdb.packet(QUIET)?.is_some() {}
                    // Registers can be written by one who has read their description.
                    gdb.ask("qXfer:features:read:target.xml:0,1000")?;
                    return Ok(gdb);
                }
                // QEMU has not made it yet.
                Err(_) if Instant::now() < end => {
                    std::thread::park_timeout(Duration::from_millis(20));
                }
                Err(source) => return Err(InjectError::gdb("connecting", source)),
            }
        }
    }

    /// Sends a packet and gives back the answer.
    fn ask(&mut self, packet: &str) -> Result<String, InjectError> {
        self.send(packet)?;
        match self.packet(ANSWER_LIMIT)? {
            Some(answer) if answer.starts_with('E') || answer.is_empty() => {
                Err(InjectError::Refused {
                    packet: packet.chars().take(40).collect(),
                    answer,
                })
            }
            Some(answer) => Ok(answer),
            None => Err(InjectError::Silent),
        }
    }

    fn send(&mut self, packet: &str) -> Result<(), InjectError> {
        let sum = packet.bytes().fold(0_u8, u8::wrapping_add);
        let text = format!("${packet}#{sum:02x}");
        self.stream
            .write_all(text.as_bytes())
            .map_err(|source| InjectError::gdb("writing", source))
    }

    /// The next packet from the server, which is acknowledged; `None` when none came in time.
    fn packet(&mut self, limit: Duration) -> Result<Option<String>, InjectError> {
        let end = Instant::now() + limit;
        loop {
            if let Some(packet) = self.take_packet() {
                self.stream
                    .write_all(b"+")
                    .map_err(|source| InjectError::gdb("writing", source))?;
                return Ok(Some(packet));
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.stream
                .set_read_timeout(Some(left))
                .map_err(|source| InjectError::gdb("waiting", source))?;
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(InjectError::Gone),
                Ok(length) => self
                    .received
                    .extend_from_slice(buffer.get(..length).unwrap_or_default()),
                Err(error)
                    if [
                        ErrorKind::WouldBlock,
                        ErrorKind::TimedOut,
                        ErrorKind::Interrupted,
                    ]
                    .contains(&error.kind()) => {}
                Err(_) => return Err(InjectError::Gone),
            }
        }
    }

    /// A whole packet, taken from what was received; acknowledgements are passed over.
    fn take_packet(&mut self) -> Option<String> {
        let begin = self.received.iter().position(|byte| *byte == b'$')?;
        let length = self
            .received
            .get(begin..)?
            .iter()
            .position(|byte| *byte == b'#')?;
        let end = begin + length;
        if self.received.len() < end + 3 {
            return None;
        }
        let text = String::from_utf8_lossy(self.received.get(begin + 1..end)?).into_owned();
        self.received.drain(..end + 3);
        Some(text)
    }

    /// Lets the machine run.
    pub(crate) fn go_on(&mut self) -> Result<(), InjectError> {
        self.send("c")
    }

    /// Waits for the machine to stand still.
    pub(crate) fn wait(&mut self, limit: Duration) -> Result<Stop, InjectError> {
        match self.packet(limit)? {
            Some(answer) if answer.starts_with('W') || answer.starts_with('X') => {
                Err(InjectError::Gone)
            }
            Some(_) => Ok(Stop::Stopped),
            None => Ok(Stop::Running),
        }
    }

    /// Makes the machine stand still.
    pub(crate) fn halt(&mut self) -> Result<(), InjectError> {
        self.stream
            .write_all(&[3])
            .map_err(|source| InjectError::gdb("writing", source))?;
        match self.wait(ANSWER_LIMIT)? {
            Stop::Stopped => Ok(()),
            Stop::Running => Err(InjectError::Silent),
        }
    }

    /// Executes one instruction; interrupts wait meanwhile.
    pub(crate) fn step(&mut self) -> Result<(), InjectError> {
        self.ask("s").map(drop)
    }

    /// Sets a breakpoint, which changes no byte of the machine.
    pub(crate) fn set_breakpoint(&mut self, address: u64) -> Result<(), InjectError> {
        self.ask(&format!("Z0,{address:x},1")).map(drop)
    }

    pub(crate) fn clear_breakpoint(&mut self, address: u64) -> Result<(), InjectError> {
        self.ask(&format!("z0,{address:x},1")).map(drop)
    }

    /// Has the machine stop behind a store to `address`.
    pub(crate) fn watch(&mut self, address: u64, length: usize) -> Result<(), InjectError> {
        self.ask(&format!("Z2,{address:x},{length:x}")).map(drop)
    }

    pub(crate) fn forget_watch(&mut self, address: u64, length: usize) -> Result<(), InjectError> {
        self.ask(&format!("z2,{address:x},{length:x}")).map(drop)
    }

    /// The registers of the CPU.
    pub(crate) fn registers(&mut self) -> Result<Registers, InjectError> {
        let answer = self.ask("g")?;
        let bytes = bytes_of(&answer).unwrap_or_default();
        if bytes.len() < REGISTER_BYTES {
            return Err(InjectError::Refused {
                packet: "g".into(),
                answer,
            });
        }
        let mut registers = Registers::default();
        for (value, word) in registers.values.iter_mut().zip(bytes.chunks_exact(8)) {
            *value = word_of(word);
        }
        registers.flags =
            u32::try_from(word_of(bytes.get(136..140).unwrap_or_default())).unwrap_or_default();
        Ok(registers)
    }

    /// Changes a register, by its number in [`Registers`].
    pub(crate) fn set_register(&mut self, number: usize, value: u64) -> Result<(), InjectError> {
        let text = hexadecimal(&value.to_le_bytes());
        self.ask(&format!("P{number:x}={text}")).map(drop)
    }

    /// `length` bytes at `address`.
    pub(crate) fn read(&mut self, address: u64, length: usize) -> Result<Vec<u8>, InjectError> {
        let answer = self.ask(&format!("m{address:x},{length:x}"))?;
        bytes_of(&answer)
            .filter(|bytes| bytes.len() == length)
            .ok_or(InjectError::Refused {
                packet: format!("m{address:x}"),
                answer,
            })
    }

    /// Stores `bytes` at `address`, whatever the page tables say.
    pub(crate) fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), InjectError> {
        let text = hexadecimal(bytes);
        self.ask(&format!("M{address:x},{:x}:{text}", bytes.len()))
            .map(drop)
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

/// The little-endian number in up to 8 bytes.
fn word_of(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |word, byte| word << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_little_endian() {
        assert_eq!(bytes_of("0102"), Some(vec![1, 2]));
        assert_eq!(bytes_of("x1"), None);
        assert_eq!(word_of(&[1, 2]), 0x0201);
        assert_eq!(hexadecimal(&0x0102_u16.to_le_bytes()), "0201");
    }
}
