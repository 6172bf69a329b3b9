//! How a task can end other than by returning.

use core::fmt::{self, Write};

/// Longest message of a panic in bytes; the rest is cut.
const MESSAGE_CAPACITY: usize = 160;

/// Why a task, or a function run under [`crate::catch`], did not return.
#[derive(Clone, Debug)]
pub enum Failure {
    /// It panicked, or an allocation failed.
    Panic {
        /// What the panic said.
        message: Message,
    },
    /// The CPU raised an exception in it.
    Exception {
        /// The CPU's vector.
        vector: u8,
        /// The CPU's error code, 0 where the vector has none.
        error_code: u64,
        /// The address that could not be accessed (page fault), else that of the instruction.
        address: u64,
    },
    /// It ran over the end of its stack.
    StackOverflow {
        /// The address below the stack that was accessed.
        address: u64,
    },
    /// There was no memory for more of its stack.
    StackMemory {
        /// The address in the stack that was accessed.
        address: u64,
    },
    /// It was killed.
    Killed,
    /// It ended itself early, with a status.
    Exited {
        /// The status.
        status: i32,
    },
}

impl Failure {
    /// The CPU's vector, where a CPU exception caused the failure.
    #[must_use]
    pub const fn vector(&self) -> Option<u8> {
        match self {
            Self::Exception { vector, .. } => Some(*vector),
            Self::StackOverflow { .. } | Self::StackMemory { .. } => Some(14),
            _ => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panic { message } => write!(f, "panic: {message}"),
            Self::Exception {
                vector,
                error_code,
                address,
            } => write!(
                f,
                "{} (vector {vector}, error code {error_code:#x}) at {address:#x}",
                exception_name(*vector)
            ),
            Self::StackOverflow { address } => {
                write!(f, "stack overflow (vector 14) at {address:#x}")
            }
            Self::StackMemory { address } => {
                write!(f, "no memory for the stack (vector 14) at {address:#x}")
            }
            Self::Killed => f.write_str("killed"),
            Self::Exited { status } => write!(f, "exited with status {status}"),
        }
    }
}

impl core::error::Error for Failure {}

/// The name that the processor's manual gives to an exception (Intel SDM vol. 3, table 6-1).
const fn exception_name(vector: u8) -> &'static str {
    match vector {
        0 => "divide error",
        1 => "debug exception",
        2 => "non-maskable interrupt",
        3 => "breakpoint",
        4 => "overflow",
        5 => "bound range exceeded",
        6 => "invalid opcode",
        7 => "device not available",
        8 => "double fault",
        10 => "invalid TSS",
        11 => "segment not present",
        12 => "stack-segment fault",
        13 => "general protection fault",
        14 => "page fault",
        16 => "x87 floating-point error",
        17 => "alignment check",
        18 => "machine check",
        19 => "SIMD floating-point exception",
        _ => "exception",
    }
}

/// A short text kept in place: a failure may have to be told when there is no memory left.
#[derive(Clone)]
pub struct Message {
    bytes: [u8; MESSAGE_CAPACITY],
    length: usize,
}

impl Message {
    /// What `text` displays, cut at 160 bytes.
    #[must_use]
    pub fn new(text: impl fmt::Display) -> Self {
        let mut message = Self {
            bytes: [0; MESSAGE_CAPACITY],
            length: 0,
        };
        // A full buffer is the only failure, and a cut message is what is promised.
        let _ = write!(message, "{text}");
        message
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..self.length).unwrap_or(&[]);
        core::str::from_utf8(bytes).unwrap_or("")
    }
}

impl Write for Message {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            let mut encoded = [0; 4];
            let bytes = character.encode_utf8(&mut encoded).as_bytes();
            let end = self.length.checked_add(bytes.len()).ok_or(fmt::Error)?;
            self.bytes
                .get_mut(self.length..end)
                .ok_or(fmt::Error)?
                .copy_from_slice(bytes);
            self.length = end;
        }
        Ok(())
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}
