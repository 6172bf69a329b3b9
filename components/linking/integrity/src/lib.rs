//! Damaged text, constants and entry stubs: seen, put right, told.
//!
//! What linking has made is never written again, so each page of it has one right value for as long
//! as it is mapped. The loader keeps a hash of each page and the few words by which it differs from
//! the object in the archive (`linker::pristine`), and a second copy of all slots. A bit that flips,
//! or a stray write through an alias, is found by comparing: on every exception, before anything else
//! is believed, and by a task that walks over everything in small bites. What is damaged is made anew
//! from the object and written back, word by word.
//!
//! Principles:
//!
//! - Looking and repairing ask for no memory and wait for no lock that this CPU may hold, so both
//!   work in an exception.
//! - Text is written by one CPU while all others are parked, through a page that shows it writable
//!   for that moment; each store is one aligned word, and only words that differ are stored.
//! - Nothing is written that is not proven: what is made anew must have the hash of what was linked.
//! - If the damage is the interrupted instruction itself, nothing of it has been executed, and after
//!   the repair it is executed again: the task does not even notice.
//!
//! Lock order: the loader's list of texts, then the rendezvous; the log of damages is innermost.
//!
//! Neighbours: `loader` knows what should be where, `mappings` gives the window, `interrupts` asks
//! before an exception is handled. Left out: data, which nobody knows the right value of; the archive itself, a damage of
//! which shows as a repair that cannot be proven.
#![no_std]

extern crate alloc;

mod check;
mod damage;
mod fault;
mod pass;

use component::{Handover, StartError};

pub use damage::{Damage, Part, Statistics, damages, statistics};
pub use pass::{Outcome, check_now};

component::component! { start: start }

fn start(_: &'static Handover) -> Result<(), StartError> {
    interrupts::set_exception_filter(fault::filter);
    pass::start()
}
