//! The unwinding itself.

use crate::{
    backtrace,
    catch::{self, Pending, Record, Report},
    frame::{self, Cursor, FrameView, Pad, StackBounds, StepError},
    registers::{self, Registers},
};
use core::{ptr, sync::atomic::Ordering};
use cpu::{IrqGuard, IrqMutex};
use interrupts::TrapFrame;
use task::{Failure, TaskId};

/// The exception that pads are given when an interrupt handler is unwound, which goes to no catch.
const INTERRUPT: u64 = 1;

/// Vectors below are the CPU's exceptions.
const FIRST_DEVICE_VECTOR: u64 = 32;

/// Failures in one unwinding after which the rest of it is leapt over: the unwinding itself fails.
const MOST_FAILED: u32 = 32;

/// Faults in one device's handler after which it is left without unwinding.
const MOST_HANDLER_FAULTS: u32 = 4;

/// How often a task may be abandoned, in how much time, until the system ends instead: its end fails. An
/// idle task goes on afterwards, and may be abandoned again some other time.
const MOST_ABANDONED: u32 = 8;
const ABANDONED_WITHIN_NS: u64 = 1_000_000_000;

/// RFLAGS: interrupts enabled.
const INTERRUPT_FLAG: u64 = 1 << 9;

/// Unwinds the current task to its innermost catch, which answers `failure`; in a device's interrupt
/// handler, ends the handler instead.
///
/// Without a catch (the flow that boots, before there are tasks) the system ends.
pub fn unwind_current(mut failure: Failure) -> ! {
    registers::with_registers(ptr::from_mut(&mut failure).cast(), from_here);
    // Not reached: `from_here` goes on elsewhere.
    cpu::halt()
}

extern "C-unwind" fn from_here(registers: &mut Registers, failure: *mut u8) {
    // SAFETY: `unwind_current` passes a pointer to its failure, which it does not use meanwhile.
    let failure = unsafe { &*failure.cast::<Failure>() };
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
        &failure,
    )
}

/// Makes an interrupted task end when the interrupt returns; whether it can. For one that is well and was
/// interrupted anywhere.
///
/// In an application's text nothing is dropped that the application's functions own: safe code counts on
/// being left only by calls, so what it was just changing may be half of one thing and half of another.
/// Only the system's frames between and below are unwound, each as if what it had called had failed, and
/// the task's outermost catch is where it goes. In a component the task is unwound as by an exception.
pub fn unwind_interrupted(frame: &mut TrapFrame, failure: Failure) -> bool {
    let forget = task::is_application_text(frame.rip);
    divert_to_catch(
        frame,
        Pending {
            failure,
            report: None,
            leap_from: None,
            forget,
        },
    )
}

/// Like [`unwind_interrupted`], but `report` is called first, on the task's own stack and with
/// interrupts as the interrupted code had them.
///
/// The interrupted stack must have room for it; after an overflow, its reserve must be mapped. A task
/// without a catch, or whose catch is not to be trusted, is ended without unwinding.
pub fn report_and_unwind(frame: &mut TrapFrame, failure: Failure, report: Option<Report>) -> bool {
    divert_to_catch(
        frame,
        Pending {
            failure,
            report,
            leap_from: None,
            forget: false,
        },
    )
}

fn divert_to_catch(frame: &mut TrapFrame, pending: Pending) -> bool {
    let Some(record) = catch::innermost() else {
        return abandon_interrupted(frame, pending.failure, pending.report);
    };
    // SAFETY: the record lies in the frame of a catch of this task, which waits for its body.
    unsafe { (*record).pending = Some(pending) };
    // Before the report, during which the task may be preempted: what it has just freed is to stay where it
    // can be found.
    // SAFETY: as above.
    unsafe { (*record).suspect_heap() };
    // SAFETY: `unwind_pending` never returns to the interrupted code; the stack has the room that
    // interrupt entry or the caller has made sure of.
    unsafe { frame.divert(unwind_pending) };
    true
}

/// Makes an interrupted task leave for its innermost catch when the interrupt returns, without
/// running a drop, and `report` there: for a stack pointer that nothing can be unwound from. Whether
/// it can. The frame must not lie on the task's stack, unless there is nothing else to do.
pub fn leap_interrupted(frame: &mut TrapFrame, failure: Failure, report: Option<Report>) -> bool {
    let Some(record) = catch::innermost() else {
        return abandon_interrupted(frame, failure, report);
    };
    // SAFETY: as in `report_and_unwind`.
    let record = unsafe { &mut *record };
    record.pending = Some(Pending {
        failure,
        report,
        leap_from: Some(frame.rsp),
        forget: false,
    });
    // What lies below where the catch will go on is not needed any more.
    frame.rsp = record.landing.stack_pointer();
    // SAFETY: `unwind_pending` never returns to the interrupted code; below the landing there is the
    // rest of the task's stack.
    unsafe { frame.divert(unwind_pending) };
    true
}

/// Makes an interrupted task end without unwinding, at the top of its stack. Whether it can: a flow
/// whose stack is not its own cannot.
fn abandon_interrupted(frame: &mut TrapFrame, failure: Failure, report: Option<Report>) -> bool {
    let Some(top) = own_stack_top() else {
        return false;
    };
    let Some(task) = task::with_current(|task| task.id()) else {
        return false;
    };
    let abandoned = ABANDONED.lock_unless_ours();
    let Some(mut abandoned) = abandoned.or_else(take_over_abandoned) else {
        return false;
    };
    let now_ns = task::now_ns();
    let recent = abandoned.since_ns.saturating_add(ABANDONED_WITHIN_NS) > now_ns;
    let (times, since_ns) = if recent && abandoned.by == Some(task) {
        (abandoned.times + 1, abandoned.since_ns)
    } else {
        (1, now_ns)
    };
    if times > MOST_ABANDONED {
        return false;
    }
    let pending = Pending {
        failure,
        report,
        leap_from: Some(frame.rsp),
        forget: false,
    };
    *abandoned = Abandoned {
        pending: Some(pending),
        by: Some(task),
        times,
        since_ns,
    };
    frame.rsp = top;
    // SAFETY: `end_abandoned` never returns to the interrupted code, and nothing that lies on the
    // stack is needed any more.
    unsafe { frame.divert(end_abandoned) };
    // Interrupts stay off until the task has taken out what was put here for it.
    frame.rflags &= !INTERRUPT_FLAG;
    drop(abandoned);
    true
}

/// Whether a failure of the current flow can be ended there: it is inside a catch, or in a task with a
/// stack of its own, which can be given up.
#[must_use]
pub fn can_end() -> bool {
    catch::innermost().is_some() || own_stack_top().is_some()
}

/// The top of the current task's stack, if it has one of its own.
fn own_stack_top() -> Option<u64> {
    task::with_current(|task| {
        let owned = task.with_stack(|_| ()).is_some();
        owned.then(|| task.stack_range().end)
    })?
}

/// How a task that is being abandoned failed.
struct Abandoned {
    /// What the task has not taken out yet.
    pending: Option<Pending>,
    /// The task, how often it was abandoned, and since when: its end may fail as well, and more than once.
    by: Option<TaskId>,
    times: u32,
    since_ns: u64,
}

/// The last one. Of one at a time: interrupts are off meanwhile, and who comes second on another CPU takes
/// the place, which costs the first its report.
#[used]
static ABANDONED: IrqMutex<Abandoned> = IrqMutex::new(Abandoned {
    pending: None,
    by: None,
    times: 0,
    since_ns: 0,
});

/// The lock, which this CPU holds: a fault hit the task that was taking out what had been put there for it,
/// and what lies there may be half moved (it has no drop). That task ends here, and with it whatever else
/// it holds.
#[cold]
fn take_over_abandoned() -> Option<IrqGuard<'static, Abandoned>> {
    cpu::holds_no_lock();
    ABANDONED.lock_unless_ours()
}

unsafe extern "C-unwind" fn end_abandoned(frame: *mut TrapFrame) -> ! {
    // SAFETY: diversion passes a pointer to a copy of the frame on this stack.
    let mut frame = unsafe { *frame };
    let abandoned = ABANDONED.lock_unless_ours();
    let pending = abandoned.and_then(|mut it| it.pending.take());
    let (failure, report, from) = match pending {
        Some(it) => (it.failure, it.report, it.leap_from),
        None => (Failure::Killed, None, None),
    };
    frame.rsp = from.unwrap_or(0);
    if let Some(report) = report {
        report(&frame, &failure);
    }
    give_up(failure)
}

/// Ends the current task without unwinding it.
fn give_up(failure: Failure) -> ! {
    task::with_current(|task| {
        catch::note_abandoned(task.id(), task.stack_range().len());
        task.catch_word().store(0, Ordering::Relaxed);
    });
    task::abandon(failure)
}

unsafe extern "C-unwind" fn unwind_pending(frame: *mut TrapFrame) -> ! {
    // SAFETY: diversion passes a pointer to a copy of the frame on this stack.
    let mut frame = unsafe { *frame };
    let pending = catch::innermost().and_then(|record| {
        // SAFETY: as in `report_and_unwind`.
        unsafe { (*record).pending.take() }
    });
    let Some(Pending {
        failure,
        report,
        leap_from,
        forget,
    }) = pending
    else {
        unwind_from(&frame, Failure::Killed);
    };
    frame.rsp = leap_from.unwrap_or(frame.rsp);
    if let Some(report) = report {
        report(&frame, &failure);
    }
    if leap_from.is_some()
        && let Some(record) = catch::innermost()
    {
        // SAFETY: as in `report_and_unwind`.
        leap(unsafe { &mut *record }, frame.rsp, failure);
    }
    if forget && let Some(record) = catch::outermost() {
        // SAFETY: as in `report_and_unwind`.
        let record = unsafe { &mut *record };
        record.forgets = true;
        catch::note_forced_end();
        begin(record, &failure);
        let registers = Registers::of_interrupted(&frame);
        let cursor = Cursor {
            registers,
            exact: true,
        };
        unwind_to(cursor, record);
    }
    unwind_from(&frame, failure)
}

/// Leaves for a catch without running a drop.
fn leap(record: &mut Record, from: u64, failure: Failure) -> ! {
    record.leaps += 1;
    record.hold_scheduler();
    if record.leaps > 1 && own_stack_top().is_some() {
        record.trust_heap();
        give_up(failure);
    }
    let destination = record.landing.stack_pointer();
    let stack = backtrace::current_bounds().0;
    let from = if stack.contains(from) {
        from
    } else {
        stack.start
    };
    record.loss.leapt_bytes += destination.saturating_sub(from).max(1);
    begin(record, &failure);
    let landing = record.landing;
    // SAFETY: the catch stored these registers before it called its body, and waits.
    unsafe { registers::restore(&landing) }
}

/// Notes how the task failed, if this is the first failure on the way to `record`; whether it is.
fn begin(record: &mut Record, failure: &Failure) -> bool {
    if record.failure.is_some() {
        return false;
    }
    record.failure = Some(failure.clone());
    task::with_current(|task| task.enter_unwinding());
    true
}

fn raise(cursor: Cursor, failure: &Failure) -> ! {
    if interrupts::handles_interrupt(cursor.registers.stack_pointer()) {
        let faults = &cpu::local().handler_faults;
        if faults.fetch_add(1, Ordering::Relaxed) >= MOST_HANDLER_FAULTS {
            leave_handler(None);
        }
        unwind_handler(cursor);
    }
    let Some(record) = catch::innermost() else {
        if own_stack_top().is_some() {
            give_up(failure.clone());
        }
        cpu::fatal(format_args!(
            "{failure}, outside of anything that could be ended instead"
        ));
    };
    // SAFETY: the record lies in the frame of a catch of this task, which waits for its body, and
    // nothing else refers to it meanwhile.
    let state = unsafe { &mut *record };
    state.hold_scheduler();
    if cursor.exact {
        state.suspect_heap();
    }
    if !begin(state, failure) {
        state.loss.failed_drops += 1;
        if state.loss.failed_drops > MOST_FAILED {
            leap(state, cursor.registers.stack_pointer(), failure.clone());
        }
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
        if record.forgets && task::is_application_text(cursor.lookup_address()) {
            record.loss.forgotten += u32::from(view.cleans);
            cursor = view.caller;
            continue;
        }
        if cursor.exact && view.cleans && view.pad.is_none() {
            record.loss.interrupted += 1;
        }
        if let Some(pad) = view.pad
            && record.enter_pad(pad, view.caller)
        {
            record.goes_on();
            enter(cursor, pad, ptr::from_mut(record).addr() as u64);
        }
        if let Some(trap_frame) = view.trap_frame {
            restore_interrupt_flag(trap_frame, bounds);
            record.settle_if_due();
        }
        cursor = view.caller;
    }
    let landing = record.landing;
    // SAFETY: the catch stored these registers before it called its body, and waits.
    unsafe { registers::restore(&landing) }
}

/// Leaves the handler of the interrupt that is being handled as it is; what was interrupted goes on.
fn leave_handler(error: Option<StepError>) -> ! {
    task::repair();
    interrupts::abandon_handler();
    match error {
        Some(error) => cpu::fatal(format_args!("interrupt handler failed, and {error}")),
        None => cpu::fatal(format_args!("interrupt handler failed again and again")),
    }
}

/// Runs the next pad on the way to the entry of the interrupt that is being handled, or ends it.
fn unwind_handler(mut cursor: Cursor) -> ! {
    let bounds = backtrace::current_bounds();
    loop {
        let view = match outwards(&cursor, bounds) {
            Ok(view) => view,
            Err(error) => leave_handler(Some(error)),
        };
        if let Some(pad) = view.pad {
            enter(cursor, pad, INTERRUPT);
        }
        let vector = view.trap_frame.map(|frame| frame::vector_of(frame, bounds));
        if vector.is_some_and(|vector| vector.is_ok_and(|vector| vector >= FIRST_DEVICE_VECTOR)) {
            cpu::holds_no_lock();
            cpu::local().exception_depth.store(0, Ordering::Relaxed);
            if interrupts::is_unended() {
                // It failed on the way to the handler, or at its end.
                leave_handler(None);
            }
            task::repair();
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
fn enter(cursor: Cursor, pad: Pad, exception: u64) -> ! {
    let mut registers = cursor.registers;
    registers.set_instruction(pad.address);
    registers.set_stack_pointer(pad.stack_pointer);
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
