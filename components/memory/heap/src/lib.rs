//! The heap behind `alloc`.
//!
//! Small allocations are blocks of a few sizes, of which each CPU keeps some at hand; behind those is
//! the allocator `talc` under a lock, fed with segments of mapped memory. A segment that becomes
//! free as a whole is given back, so that a task that took all memory and ended has left none of it
//! in the heap.
//!
//! Principles: an allocation that fails unwinds its task and never ends the system. Memory that is
//! short is refused to ordinary tasks while `frames` still has a reserve, which unwinding and
//! reporting use ([`with_reserve`]). Segments are mapped and unmapped outside the lock.
//!
//! While a fault is unwound, what is freed is first looked for among what is free: what the fault hit may
//! have moved it, and not yet noted its new place.
//!
//! Lock order: the heap's lock is never held while memory is mapped or unmapped.
//!
//! Neighbours: `mappings` below, `alloc` above. Left out: who uses how much.
#![cfg_attr(not(test), no_std)]

#[cfg(not(test))]
mod symbols;

mod allocator;
mod class;
mod magazines;
mod segments;

use component::{Handover, StartError};

pub use allocator::{Heap, HeapStatistics, allocated_size, freed_twice, statistics};
pub use frames::with_reserve;

component::component! { start: start }

/// Maps the first segment, so that a machine without memory for it says so here.
fn start(_: &'static Handover) -> Result<(), StartError> {
    allocator::grow_first()?;
    Ok(())
}
