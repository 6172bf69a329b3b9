//! What can be wrong with what arrives.

use crate::frame::SessionId;
use core::fmt;

/// What is wrong with what arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// Bytes that belong to no frame.
    Garbage {
        /// How many.
        bytes: usize,
    },
    /// A header whose checksum is wrong.
    HeaderChecksum {
        /// The checksum that it has.
        found: u32,
        /// The checksum of its bytes.
        computed: u32,
    },
    /// A payload whose checksum is wrong.
    PayloadChecksum {
        /// The checksum that it has.
        found: u32,
        /// The checksum of its bytes.
        computed: u32,
    },
    /// A header that announces more than a frame can hold.
    Length(u32),
    /// A message of an unknown kind.
    Kind(u32),
    /// A message that ends before its last field.
    Cut {
        /// The message's kind.
        kind: u32,
    },
    /// A message with bytes after its last field.
    Trailing {
        /// The message's kind.
        kind: u32,
        /// How many bytes.
        bytes: usize,
    },
    /// A text that is not UTF-8.
    Text {
        /// The message's kind.
        kind: u32,
    },
    /// The client speaks another version.
    Version(u32),
    /// A frame of a session that is not open: of a second client, or after an error.
    Session(SessionId),
    /// A frame is missing, or came twice.
    Sequence {
        /// The number that it has.
        found: u32,
        /// The number that is next.
        expected: u32,
    },
    /// A message that makes no sense at this point.
    Order {
        /// The message's kind.
        kind: u32,
    },
    /// A transfer that is larger than [`crate::MAX_TRANSFER`].
    TransferLength(u64),
    /// More bytes or objects than were announced.
    Excess {
        /// What was announced.
        announced: u64,
    },
    /// A commit before everything that was announced has arrived.
    Incomplete {
        /// Bytes or objects that have arrived.
        arrived: u64,
        /// What was announced.
        announced: u64,
    },
    /// Not enough memory for the transfer.
    Memory {
        /// Bytes wanted.
        bytes: u64,
    },
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Garbage { bytes } => write!(f, "{bytes} bytes that belong to no frame"),
            Self::HeaderChecksum { found, computed } => {
                write!(
                    f,
                    "frame header with checksum {found:#010x} instead of {computed:#010x}"
                )
            }
            Self::PayloadChecksum { found, computed } => {
                write!(
                    f,
                    "frame with checksum {found:#010x} instead of {computed:#010x}"
                )
            }
            Self::Length(length) => {
                write!(f, "frame of {length} bytes; most is {}", crate::MAX_PAYLOAD)
            }
            Self::Kind(kind) => write!(f, "message of unknown kind {kind}"),
            Self::Cut { kind } => write!(f, "message of kind {kind} is cut off"),
            Self::Trailing { kind, bytes } => {
                write!(f, "message of kind {kind} has {bytes} bytes after its end")
            }
            Self::Text { kind } => write!(f, "message of kind {kind} has a text that is not UTF-8"),
            Self::Version(version) => {
                write!(
                    f,
                    "the client speaks version {version}, the system {}",
                    crate::VERSION
                )
            }
            Self::Session(session) => write!(f, "session {session} is not open"),
            Self::Sequence { found, expected } => {
                write!(f, "frame number {found} instead of {expected}")
            }
            Self::Order { kind } => write!(f, "message of kind {kind} is out of order"),
            Self::TransferLength(length) => {
                write!(
                    f,
                    "transfer of {length} bytes; most is {}",
                    crate::MAX_TRANSFER
                )
            }
            Self::Excess { announced } => write!(f, "more than the {announced} announced"),
            Self::Incomplete { arrived, announced } => {
                write!(f, "only {arrived} of {announced} announced have arrived")
            }
            Self::Memory { bytes } => write!(f, "not enough memory for {bytes} bytes"),
        }
    }
}

impl core::error::Error for ProtocolError {}
