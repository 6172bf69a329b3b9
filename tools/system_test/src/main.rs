//! Tests the real image under QEMU.
#![forbid(unsafe_code)]

fn main() {}
