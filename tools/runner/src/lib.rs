//! The system under QEMU, seen from the host: how a machine is made, how it ends, what goes in and
//! out of it.
//!
//! Principles: the runner is a window, it does not interpret what the system prints except for the
//! prompt; a machine is a value that ends with its owner; every wait has a limit; what QEMU's exit
//! status means is decided in one place ([`Outcome`]). Neighbours: `image` makes what is booted,
//! `system_test` drives machines of this crate, `push_protocol` is the language of the second serial
//! port. Left out: building.
#![forbid(unsafe_code)]

pub mod accelerator;
pub mod console;
pub mod debug;
pub mod error;
pub mod firmware;
pub mod machine;
pub mod monitor;
pub mod outcome;
pub mod plain;
pub mod push;
pub mod resolve;
pub mod session;
pub mod settings;
pub mod terminal;

pub use error::RunnerError;
pub use machine::{Boot, Machine};
pub use outcome::Outcome;
