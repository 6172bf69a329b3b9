//! Checks what the compiler does not.
#![forbid(unsafe_code)]

fn main() {}
