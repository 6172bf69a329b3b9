//! Runs, feeds and debugs the system under QEMU.
#![forbid(unsafe_code)]

fn main() {}
