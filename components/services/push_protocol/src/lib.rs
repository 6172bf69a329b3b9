//! The language of the second serial port: how a rebuilt component gets into the running system.
//!
//! A client on the host says [`Request::Hello`], asks which components run, sends the objects that
//! differ and the ids of the whole new build, and says [`Request::Commit`]; the system swaps and
//! answers with a report. Nothing of the running system changes before the commit, so a client that
//! dies, a line that drops bytes, or a second client that talks into the first one's transfer leaves
//! it as it was.
//!
//! Principles: a line carries [`frame`]s with a checksum each; a frame belongs to a session and has a
//! number in it; [`Receiver`] is a state machine without I/O, so that every malformed, truncated or
//! reordered input can be tried on the host; each has an answer, and none panics. Neighbours: the
//! component `push` feeds the receiver from the port, the host's `strake push` is the client. Left
//! out: what is in an object, and whether it may be swapped in.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod error;
pub mod frame;
mod message;
mod receiver;
mod wire;

pub use error::ProtocolError;
pub use frame::{Decoder, Frame, MAX_PAYLOAD, SessionId};
pub use message::{Answer, Request, identity_frames};
pub use receiver::{Identity, Object, Receiver, System, Transfer};

/// Version of the protocol; both sides must have the same.
pub const VERSION: u32 = 2;

/// Most bytes that one transfer may have, all objects together.
pub const MAX_TRANSFER: u64 = 32 << 20;
