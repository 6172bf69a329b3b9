//! The CPU's exceptions.

use crate::{
    report,
    symbol::{self, Origin},
};
use interrupts::TrapFrame;
use task::Failure;
use x86_64::registers::debug::Dr7;

const DEBUG: u8 = 1;
const NON_MASKABLE_INTERRUPT: u8 = 2;
const DOUBLE_FAULT: u8 = 8;
const PAGE_FAULT: u8 = 14;
const MACHINE_CHECK: u8 = 18;
/// Of a page fault's error code (Intel SDM volume 3, section 4.7).
const PAGE_WAS_PRESENT: u64 = 1;

/// Handles an exception: makes the task that caused it report and unwind when this returns.
///
/// Interrupts are off. Nothing here waits: the interrupted code may hold any lock. If it had interrupts
/// off, its callers' guards release what they hold while the task is unwound, and what the interrupted
/// function held itself can be taken over once the task has arrived (see `cpu::IrqMutex`).
pub(crate) fn handle(frame: &mut TrapFrame) {
    let vector = frame.vector();
    if vector == NON_MASKABLE_INTERRUPT {
        if !is_stuck(frame) {
            return;
        }
        cpu::emergency_print(format_args!(
            "\n{} takes no timer interrupt any more; what it executes is ended",
            cpu::current_cpu()
        ));
    }
    match vector {
        // A breakpoint that nobody here has set is not hit again and again.
        DEBUG => Dr7::write_raw(0),
        // What could not be delivered may have found no gate.
        DOUBLE_FAULT => interrupts::load(),
        _ => {}
    }
    let failure = failure_of(frame);
    if vector == MACHINE_CHECK {
        // What the hardware knows of itself is not to be trusted any more.
        symbol::end_system(&failure, Origin::Interrupted(frame), None);
    }
    if interrupts::handles_interrupt(frame.rsp) {
        // A device's handler, or the way there: it ends, and the interrupted task goes on.
        report::interrupted(frame, &failure);
        if !frame.on_interrupted_stack() {
            // Its stack pointer is wild.
            task::repair();
            interrupts::abandon_handler();
        }
        unwinder::unwind_from(frame, failure);
    }
    // With interrupts off it may have been the scheduler, between two tasks.
    task::settle_switch(frame.rsp);
    let overflow = match failure {
        Failure::StackOverflow { address } | Failure::StackMemory { address } => Some(address),
        _ => None,
    };
    // Without room on the interrupted stack there is none for the report, either.
    let room = overflow.is_none() && frame.on_interrupted_stack()
        || map_reserve(overflow.unwrap_or(frame.rsp));
    let report: Option<unwinder::Report> = Some(report::interrupted);
    let ends = if vector == DOUBLE_FAULT || !unwinder::is_on_stack(frame.rsp) {
        // What a stack pointer that has gone wild leads to is nobody's stack, and after a double fault
        // the interrupted registers mean nothing.
        unwinder::leap_interrupted(frame, failure, report)
    } else if overflow.is_some() && !room {
        unwinder::leap_interrupted(frame, failure, report)
    } else {
        unwinder::report_and_unwind(frame, failure, report)
    };
    if !ends {
        symbol::end_system(&failure_of(frame), Origin::Interrupted(frame), None);
    }
}

/// Whether a non-maskable interrupt has hit a CPU that would never take another one: it loops with
/// interrupts off, and what it executes is to end.
fn is_stuck(frame: &TrapFrame) -> bool {
    if !clock::has_watchdog() {
        // Nobody asked for it: it is a sign of failing hardware, or of a person who wants to see whether
        // the machine still lives. It may have hit anywhere, so it only says so.
        cpu::emergency_print(format_args!(
            "\nnon-maskable interrupt at {:#x}\n",
            frame.rip
        ));
        return false;
    }
    clock::is_stuck() && !frame.interrupts_enabled()
}

/// What an exception is as the end of a task.
fn failure_of(frame: &TrapFrame) -> Failure {
    let vector = frame.vector();
    let address = if vector == PAGE_FAULT {
        frame.fault_address
    } else {
        frame.rip
    };
    let in_guard = task::with_current(|task| task.guard_contains(address)).unwrap_or(false);
    // A page of the stack that was not mapped has been asked for before this, in vain.
    let not_mapped = frame.error_code & PAGE_WAS_PRESENT == 0;
    let in_stack = task::with_current(|task| task.stack_range().contains(address)).unwrap_or(false);
    if vector == PAGE_FAULT && in_guard {
        Failure::StackOverflow { address }
    } else if vector == PAGE_FAULT && in_stack && not_mapped {
        Failure::StackMemory { address }
    } else {
        Failure::Exception {
            vector,
            error_code: frame.error_code,
            address,
        }
    }
}

/// Gives the task's stack what unwinding needs below `address`; false when that has been used up, too.
fn map_reserve(address: u64) -> bool {
    task::with_current(|task| task.with_stack(|stack| stack.map_reserve(address).is_ok()))
        .flatten()
        .unwrap_or(false)
}
