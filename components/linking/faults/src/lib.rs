//! Panics and CPU exceptions: report, then unwind the task.
//!
//! A fault stays where it happened. The fault supervisor turns a panic or an exception into a
//! [`task::Failure`], tells about it once (one block on the task's error output, a line in the log,
//! a [`FaultRecord`]), and has the task unwound to its innermost catch. What cannot be ended that
//! way ends the system, by raw output on the first serial port and a failing exit status: a fault
//! of the flow that boots, outside of any catch, and a machine check.
//!
//! Principles: a report neither waits for a lock that the faulter may hold nor needs memory that the
//! faulter may have used up; a fault in a report is told in one raw line and never reported again;
//! the address of an exception is exact, so its frame is looked up at the instruction itself.
//!
//! Neighbours: `interrupts` calls the exception handler, compiled code the panic handler; `unwinder`
//! does the unwinding, `loader` knows the symbols. Left out: who restarts what has ended.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod exception;
mod leaks;
#[cfg(not(test))]
mod panic;
mod provoke;
mod record;
mod report;
mod symbol;

use component::{Handover, StartError};

pub use leaks::{Leak, forced_ends, leaks, total_leaks};
pub use loader::{CodePlace, NoLines};
pub use provoke::{
    Provocation, UnknownProvocation, fault_at, fault_in_interrupt_handler, fault_nowhere,
    leaf_fault_runs_drops, locked_in_vain, provoke,
};
pub use record::{Action, FaultRecord, note_action, records, total_records};

component::component! { start: start }

fn start(_: &'static Handover) -> Result<(), StartError> {
    report::set_up();
    frames::set_reserve_right(may_use_reserve);
    interrupts::set_exception_handler(exception::handle);
    unwinder::set_arrival_listener(record::arrived);
    if let Err(error) = clock::start_watchdog() {
        // A machine without the interval timer only lacks the watchdog.
        log::warn!("no watchdog: {error}");
    }
    Ok(())
}

/// The last memory is for tasks that give some back, and for those that the system depends on.
fn may_use_reserve() -> bool {
    task::with_current(|task| task.is_unwinding() || task.is_essential()).unwrap_or(true)
}
