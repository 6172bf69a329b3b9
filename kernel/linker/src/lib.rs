//! The linker, as a pure library on slices.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod format;
