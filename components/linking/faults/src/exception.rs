//! The CPU's exceptions.

use crate::{
    report,
    symbol::{self, Origin},
};
use interrupts::TrapFrame;
use task::Failure;
use x86_64::registers::control::Cr2;

const NON_MASKABLE_INTERRUPT: u8 = 2;
const DOUBLE_FAULT: u8 = 8;
const PAGE_FAULT: u8 = 14;
const MACHINE_CHECK: u8 = 18;

/// Handles an exception: makes the task that caused it report and unwind when this returns.
///
/// Interrupts are off. Nothing here waits: the interrupted code may hold any lock.
pub(crate) fn handle(frame: &mut TrapFrame) {
    let vector = frame.vector();
    if vector == NON_MASKABLE_INTERRUPT {
        // Nobody asked for one: it is a sign of failing hardware, or of a person who wants to see
        // whether the machine still lives. It may have hit anywhere, so it only says so.
        cpu::emergency_print(format_args!(
            "\nnon-maskable interrupt at {:#x}\n",
            frame.rip
        ));
        return;
    }
    match vector {
        DOUBLE_FAULT | MACHINE_CHECK => {
            symbol::end_system(&failure_of(frame), Origin::Interrupted(frame), None)
        }
        _ => {}
    }
    let failure = failure_of(frame);
    if cpu::interrupt_nesting() > 0 {
        // A device's handler: it ends, and the interrupted task goes on.
        report::interrupted(frame, &failure);
        unwinder::unwind_from(frame, failure);
    }
    let overflow = matches!(failure, Failure::StackOverflow { .. });
    if !unwinder::can_catch() || (!frame.interrupts_enabled() && !overflow) {
        // With interrupts off, a lock is held that the faulting function itself may own: its drops
        // do not run, and the lock would never be released.
        symbol::end_system(&failure, Origin::Interrupted(frame), None);
    }
    // Without room on the interrupted stack there is none for the report, either.
    let short = overflow || !frame.on_interrupted_stack();
    let ends = if short && !map_reserve() && overflow {
        unwinder::leap_interrupted(frame, failure)
    } else {
        unwinder::report_and_unwind(frame, failure, Some(report::interrupted))
    };
    if !ends {
        symbol::end_system(&failure_of(frame), Origin::Interrupted(frame), None);
    }
}

/// What an exception is as the end of a task.
fn failure_of(frame: &TrapFrame) -> Failure {
    let vector = frame.vector();
    let address = if vector == PAGE_FAULT {
        Cr2::read_raw()
    } else {
        frame.rip
    };
    let in_guard = task::with_current(|task| task.guard_contains(address)).unwrap_or(false);
    if vector == PAGE_FAULT && in_guard {
        Failure::StackOverflow { address }
    } else {
        Failure::Exception {
            vector,
            error_code: frame.error_code,
            address,
        }
    }
}

/// Gives the task's stack its reserve; false when that has overflowed, too.
fn map_reserve() -> bool {
    task::with_current(|task| task.with_stack(|stack| stack.map_reserve().is_ok()))
        .flatten()
        .unwrap_or(false)
}
