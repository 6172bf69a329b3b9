//! Unwinding through the components' unwind tables.
//!
//! One phase: from the failing frame outwards, each frame's drops are run by entering its cleanup
//! pad, until the innermost [`catch()`] is reached. There is no search phase and no personality
//! routine, because nothing but `catch` ever stops an unwinding.
//!
//! Principles:
//!
//! - No memory is asked for: the exception lies in the frame of the catch that it goes to, and the
//!   parser's state on the stack. What runs out of memory can be unwound.
//! - Every `catch` also keeps its registers. When the tables or the stack cannot be read, the
//!   unwinding *leaps* there: the drops between are lost, which is counted ([`losses`]), and the
//!   system goes on.
//! - A failure inside a drop during an unwinding goes on to the same catch with the first failure;
//!   the pads that would end the program (`panic_in_cleanup`) are no cleanups and are passed by, and
//!   no pad of one frame is entered twice.
//! - A failure in a device's interrupt handler ends the handler and not the interrupted task: its
//!   unwinding arrives at the interrupt's entry, which returns to the interrupted code.
//! - An interrupted entry stub has pushed nothing (CFA = rsp + 8), and neither has code that a wild
//!   call led to.
//!
//! Neighbours: `loader` registers the [`Finder`], `task` gets [`catch()`] and [`unwind_current`] as
//! hooks, `faults` decides what is a failure. Left out: symbols, and what is reported.
#![cfg_attr(not(test), no_std)]

mod arrival;
mod backtrace;
mod catch;
mod finder;
mod frame;
mod lsda;
mod raise;
mod registers;
#[cfg(not(test))]
mod symbols;

use component::{Handover, StartError};

pub use arrival::set_arrival_listener;
pub use backtrace::{Frame, backtrace, backtrace_interrupted, backtrace_parked, is_on_stack};
pub use catch::{Loss, LossKind, Losses, Report, catch, forced_ends, losses};
pub use finder::{Finder, UnwindTable, register_finder};
pub use frame::StepError;
pub use lsda::LsdaError;
pub use raise::{
    can_end, leap_interrupted, report_and_unwind, unwind_current, unwind_from, unwind_interrupted,
};

component::component! { start: start }

fn start(handover: &'static Handover) -> Result<(), StartError> {
    backtrace::set_boot_stack(handover.boot_stack);
    task::register_unwinder(catch, unwind_current, unwind_interrupted);
    Ok(())
}
