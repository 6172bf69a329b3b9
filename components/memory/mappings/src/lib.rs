//! Virtual memory: owned mappings.
//!
//! There is no map of all physical memory: page tables are edited through their recursive entry,
//! and registers and tables of the firmware are mapped on request. So the only writable view of
//! text is one that somebody made, and owns, for that purpose ([`Mapping::alias`]).
//!
//! Principles: a [`Mapping`] owns its addresses and frames, and dropping it gives back both, and
//! page tables that it leaves empty. A page may wait for its frame until it is accessed ([`commit`]). [`Protection`] cannot say "writable and executable". A new
//! page table is cleared before the hardware can see it. A frame is freed, and an address given to
//! somebody else, only when all CPUs have forgotten the translation; they are asked once for a range.
//!
//! Lock order: the space's lock is taken before that of `frames`, and nothing is allocated from the
//! heap under either. Other CPUs are waited for outside of it, but for a page table that goes away.
//!
//! Neighbours: `frames` below; `device_memory` and `interrupts` are served through hooks; `heap`,
//! `stacks` and the loader are built on it; `cpu` reaches the other CPUs. Left out: several address spaces.
#![cfg_attr(not(test), no_std)]

mod device;
mod error;
mod mapping;
mod nucleus;
mod pages;
mod ranges;
mod reclaim;
mod space;
mod table;
mod window;

use component::{Handover, StartError};

pub use error::MappingError;
pub use handover::layout::PAGE_SIZE;
pub use mapping::{Mapping, Protection};
pub use nucleus::give_back_nucleus;
pub use pages::{commit, is_mapped, is_writable, physical_address};
pub use reclaim::register_reclaim;
pub use space::{MappingStatistics, statistics};
pub use window::with_window;

/// A number of bytes as Rust counts them.
#[expect(
    clippy::cast_possible_truncation,
    reason = "usize has 64 bits on this machine"
)]
const fn to_usize(bytes: u64) -> usize {
    bytes as usize
}

component::component! { start: start }

/// Learns the address space, then offers it to the machine layer.
fn start(handover: &'static Handover) -> Result<(), StartError> {
    space::start(handover)?;
    device_memory::register(&device::Windows);
    interrupts::set_stack_check(is_writable);
    Ok(())
}
