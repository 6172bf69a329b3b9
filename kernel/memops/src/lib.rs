//! The memory functions that compiled code calls: `memcpy`, `memmove`, `memset`, `memcmp`, `bcmp`,
//! `strlen`.
//!
//! The compiler emits calls of these six for assignments, comparisons and initialisations, and this
//! target's prebuilt `compiler_builtins` does not define them. They are linked into the nucleus and
//! loaded once more as a component, so that the running system's copy can be replaced like any other.
//!
//! Principles: assembly, because a loop in Rust may be recognised and compiled into a call of the
//! very function that it implements; wide SSE2 moves and no `rep`, because that costs one step an
//! element on machines without fast short `rep` (and on QEMU's instruction counter always); blocks
//! that overlap at their ends instead of tails byte by byte. No function touches the stack, so the
//! empty unwind information of each is right at every instruction and a fault inside is unwound.
//!
//! Neighbours: none. Left out: everything that the compiler does not demand.
#![no_std]

#[cfg(test)]
extern crate std;

mod compare;
mod copy;
mod fill;

pub use compare::{bcmp, memcmp, strlen};
pub use copy::{memcpy, memmove};
pub use fill::memset;

#[cfg(test)]
mod tests;
