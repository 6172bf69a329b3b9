//! The text side of a command, as far as it needs no system: what is typed and what is printed.
//!
//! * [`syntax`]: a line for the shell → pipelines, words and quoting;
//! * [`usage`]: what options a command has → `--help`, checked arguments, errors that say what to do;
//! * [`json`]: a value → one JSON document on one line;
//! * [`near`]: names that look like a mistyped one.
//!
//! Principles: pure functions on text, tested on the host; nothing a user types makes them panic.
//! Neighbours: `application` and the shell are built on it. Left out: running anything; variables and
//! globbing.
//!
//! JSON is written here and not by `serde_json`, because an application is linked afresh for each
//! run: the derived code and three more objects would cost each of them more than this whole crate.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod json;
pub mod near;
pub mod syntax;
pub mod usage;
