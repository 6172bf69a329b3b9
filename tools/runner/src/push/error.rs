//! Why a push failed before the system could judge it.

use push_protocol::ProtocolError;
use std::{fmt, io, path::PathBuf, time::Duration};

/// Why a push failed before the system could judge it.
#[derive(Debug)]
pub enum PushError {
    /// The command line is wrong.
    Usage(String),
    /// No system runs here.
    NothingRuns {
        /// The socket that it would have.
        socket: PathBuf,
    },
    /// Another client talks to the system.
    Busy,
    /// The system does not answer.
    Silent {
        /// How long it was waited for.
        limit: Duration,
    },
    /// The system refused what this client sent.
    Refused(String),
    /// What the system sent is wrong.
    Protocol(ProtocolError),
    /// What the system sent makes no sense here.
    Unexpected(String),
    /// The build failed.
    Build(String),
    /// There is no such component.
    Unknown {
        /// Its name.
        component: String,
    },
    /// A component runs that the new build does not have.
    Vanished {
        /// Its name.
        component: String,
    },
    /// A file or socket failed.
    Io {
        /// What was done with what.
        what: String,
        /// Why.
        source: io::Error,
    },
}

impl fmt::Display for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) => f.write_str(message),
            Self::NothingRuns { socket } => write!(
                f,
                "no system runs here (nobody listens at {}); start one with `make run` in another terminal",
                socket.display()
            ),
            Self::Busy => write!(f, "another push is under way; try again when it is done"),
            Self::Silent { limit } => write!(
                f,
                "the system does not answer on its second serial port (waited {} s)",
                limit.as_secs()
            ),
            Self::Refused(reason) => write!(f, "the system refused: {reason}"),
            Self::Protocol(error) => write!(f, "the system sent something wrong: {error}"),
            Self::Unexpected(what) => write!(f, "the system sent something unexpected: {what}"),
            Self::Build(message) => write!(f, "{message}"),
            Self::Unknown { component } => write!(f, "there is no component {component}"),
            Self::Vanished { component } => write!(
                f,
                "{component} runs, but the new build has no such component; reboot with the new image"
            ),
            Self::Io { what, source } => write!(f, "{what}: {source}"),
        }
    }
}

impl std::error::Error for PushError {}

impl From<ProtocolError> for PushError {
    fn from(error: ProtocolError) -> Self {
        Self::Protocol(error)
    }
}
