//! Starting the other CPUs.
//!
//! The boot CPU starts all others that the machine's tables name, one after the other: a reset and
//! two start-up messages by the local APIC (Intel SDM volume 3, section 9.4.4) let a CPU begin in real
//! mode in a frame below 1 MiB, with a few instructions that turn on paging with the page tables that
//! all CPUs share, and lead it to the module `arrival`. There it gets tables, an interrupt controller, a timer
//! and an idle task of its own, and takes part.
//!
//! Principles: a CPU that does not come is named in the log, put back into reset, and the system runs
//! on without it; what was made for it is kept, because a word that it may still read is never given
//! to others. The frame is never mapped writable and executable, and not at all afterwards. Nothing is
//! measured anew: all timers run at the boot CPU's rate.
//!
//! Neighbours: `acpi_tables` names the CPUs, `apic` carries the messages, `cpu` has what CPUs then
//! want of each other, `task` gives them work. `init` calls [`start_others`] when nothing else runs
//! yet. Left out: stopping a CPU.
#![no_std]

extern crate alloc;

mod arrival;
mod error;
mod starter;
mod trampoline;

pub use error::SmpError;
pub use starter::{Started, start_others};
