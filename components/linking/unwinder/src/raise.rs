//! The unwinding itself.

use crate::{
    backtrace,
    catch::{self, Pending, Record, Report},
    frame::{self, Cursor, FrameView, StackBounds, StepError},
    registers::{self, Registers},
};
use core::{mem::ManuallyDrop, ptr};
use interrupts::TrapFrame;
use task::Failure;

/// The exception that pads are given when an interrupt handler is unwound, which goes to no catch.
const INTERRUPT: u64 = 1;

/// Vectors below are the CPU's exceptions.
const FIRST_DEVICE_VECTOR: u64 = 32;

/// RFLAGS: interrupts enabled.
const INTERRUPT_FLAG: u64 = 1 << 9;

/// Unwinds the current task to its innermost catch, which answers `failure`; in a device's interrupt
/// handler, ends the handler instead.
///
/// Without a catch (the flow that boots, before there are tasks) the system ends.
pub fn unwind_current(failure: Failure) -> ! {
    let mut failure = ManuallyDrop::new(failure);
    registers::with_registers(ptr::from_mut(&mut failure).cast(), from_here);
    // Not reached: `from_here` goes on elsewhere.
    cpu::halt()
}

extern "C-unwind" fn from_here(registers: &mut Registers, failure: *mut u8) {
    // SAFETY: `unwind_current` passes a pointer to its failure, which it does not use again.
    let failure = unsafe { failure.cast::<Failure>().read() };
    raise(
        Cursor {
            registers: *registers,
            exact: false,
        },
        failure,
    )
}

/// Unwinds the current task from where it was interrupted.
///
/// The caller must be on the task's own stack below what `frame` interrupted, or on a stack that may
/// be left for good.
pub fn unwind_from(frame: &TrapFrame, failure: Failure) -> ! {
    raise(
        Cursor {
            registers: Registers::of_interrupted(frame),
            exact: true,
        },
        failure,
    )
}

/// Makes an interrupted task unwind from where it was when the interrupt returns; whether it can.
pub fn unwind_interrupted(frame: &mut TrapFrame, failure: Failure) -> bool {
    report_and_unwind(frame, failure, None)
}

/// Like [`unwind_interrupted`], but `report` is called first, on the task's own stack and with
/// interrupts as the interrupted code had them.
///
/// The interrupted stack must have room for it; after an overflow, its reserve must be mapped.
pub fn report_and_unwind(frame: &mut TrapFrame, failure: Failure, report: Option<Report>) -> bool {
    let Some(record) = catch::innermost() else {
        return false;
    };
    // SAFETY: the record lies in the frame of a catch of this task, which waits for its body.
    unsafe { (*record).pending = Some(Pending { failure, report }) };
    // SAFETY: `unwind_pending` never returns to the interrupted code; the stack has the room that
    // interrupt entry or the caller has made sure of.
    unsafe { frame.divert(unwind_pending) };
    true
}

unsafe extern "C-unwind" fn unwind_pending(frame: *mut TrapFrame) -> ! {
    // SAFETY: diversion passes a pointer to a copy of the frame on this stack.
    let frame = unsafe { *frame };
    let pending = catch::innermost().and_then(|record| {
        // SAFETY: as in `report_and_unwind`.
        unsafe { (*record).pending.take() }
    });
    let Some(Pending { failure, report }) = pending else {
        unwind_from(&frame, Failure::Killed);
    };
    if let Some(report) = report {
        report(&frame, &failure);
    }
    unwind_from(&frame, failure)
}

/// Makes an interrupted task leave for its innermost catch when the interrupt returns, without
/// running a drop: for a stack that nothing can run on any more. Whether it can.
pub fn leap_interrupted(frame: &mut TrapFrame, failure: Failure) -> bool {
    let Some(record) = catch::innermost() else {
        return false;
    };
    // SAFETY: as in `report_and_unwind`.
    let record = unsafe { &mut *record };
    let destination = record.landing.stack_pointer();
    record.loss.leapt_bytes += destination.saturating_sub(frame.rsp);
    if record.failure.is_none() {
        record.failure = Some(failure);
        task::with_current(|task| task.enter_unwinding());
    }
    record.landing.put_into(frame);
    true
}

fn raise(cursor: Cursor, failure: Failure) -> ! {
    if cpu::interrupt_nesting() > 0 {
        unwind_handler(cursor);
    }
    let Some(record) = catch::innermost() else {
        cpu::fatal(format_args!(
            "{failure}, outside of anything that could be ended instead"
        ));
    };
    // SAFETY: the record lies in the frame of a catch of this task, which waits for its body, and
    // nothing else refers to it meanwhile.
    let state = unsafe { &mut *record };
    if state.failure.is_none() {
        state.failure = Some(failure);
        task::with_current(|task| task.enter_unwinding());
    } else {
        state.loss.failed_drops += 1;
    }
    unwind_to(cursor, state)
}

/// Runs the next pad on the way to `record`, or arrives there.
fn unwind_to(mut cursor: Cursor, record: &mut Record) -> ! {
    let bounds = backtrace::current_bounds();
    let destination = record.landing.stack_pointer();
    while cursor.registers.stack_pointer() < destination {
        let view = match outwards(&cursor, bounds) {
            Ok(view) => view,
            Err(_) => {
                let bytes = destination - cursor.registers.stack_pointer();
                record.loss.leapt_bytes += bytes;
                break;
            }
        };
        if let Some(pad) = view.pad
            && record.enter_pad(&cursor, pad, view.caller)
        {
            enter(cursor, pad, ptr::from_mut(record).addr() as u64);
        }
        if let Some(trap_frame) = view.trap_frame {
            restore_interrupt_flag(trap_frame, bounds);
        }
        cursor = view.caller;
    }
    let landing = record.landing;
    // SAFETY: the catch stored these registers before it called its body, and waits.
    unsafe { registers::restore(&landing) }
}

/// Runs the next pad on the way to the entry of the interrupt that is being handled, or ends it.
fn unwind_handler(mut cursor: Cursor) -> ! {
    let bounds = backtrace::current_bounds();
    loop {
        let view = match outwards(&cursor, bounds) {
            Ok(view) => view,
            Err(error) => cpu::fatal(format_args!("interrupt handler failed, and {error}")),
        };
        if let Some(pad) = view.pad {
            enter(cursor, pad, INTERRUPT);
        }
        let vector = view.trap_frame.map(|frame| frame::vector_of(frame, bounds));
        if vector.is_some_and(|vector| vector.is_ok_and(|vector| vector >= FIRST_DEVICE_VECTOR)) {
            // As if the handler had returned to the entry.
            // SAFETY: they are the registers of the entry's frame after its call.
            unsafe { registers::restore(&cursor.registers) }
        }
        cursor = view.caller;
    }
}

/// The view of a frame, with the assurance that its caller lies further up.
fn outwards(cursor: &Cursor, bounds: StackBounds) -> Result<FrameView, StepError> {
    let stack_pointer = cursor.registers.stack_pointer();
    if !bounds.0.contains(stack_pointer) {
        return Err(StepError::OutsideStack(stack_pointer));
    }
    let view = cursor.view(bounds, true)?;
    let next = view.caller.registers.stack_pointer();
    if next <= stack_pointer {
        Err(StepError::OutsideStack(next))
    } else {
        Ok(view)
    }
}

/// Goes on with a cleanup pad.
fn enter(cursor: Cursor, pad: u64, exception: u64) -> ! {
    let mut registers = cursor.registers;
    registers.set_instruction(pad);
    registers.set_exception(exception);
    // SAFETY: they are the registers of the frame at a call (or faulting instruction) whose failure
    // the compiler made `pad` for; all frames below have been unwound.
    unsafe { registers::restore(&registers) }
}

/// The walk leaves an exception's handler: interrupts are as the interrupted code had them.
fn restore_interrupt_flag(trap_frame: u64, bounds: StackBounds) {
    let flags = bounds.read(trap_frame + core::mem::offset_of!(TrapFrame, rflags) as u64);
    if flags.is_ok_and(|flags| flags & INTERRUPT_FLAG != 0) {
        cpu::enable_interrupts();
    }
}

/// Goes on with an unwinding behind a pad whose end is called from `registers`.
#[cfg_attr(
    test,
    expect(dead_code, reason = "the symbol that calls it would be the test's own")
)]
pub(crate) extern "C-unwind" fn resume(registers: &mut Registers, exception: u64) -> ! {
    let cursor = Cursor {
        registers: *registers,
        exact: false,
    };
    if exception == INTERRUPT {
        unwind_handler(cursor);
    }
    // SAFETY: pads hand back what `enter` gave them: a record in the frame of a catch that waits.
    let record = unsafe { &mut *(exception as *mut Record) };
    let cursor = record.leave_pad(&cursor).unwrap_or(cursor);
    unwind_to(cursor, record)
}
