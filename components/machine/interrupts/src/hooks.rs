//! What upper layers register here.
//!
//! Each is registered once and read at every interrupt on every CPU, also by an exception that hits
//! anywhere: so reading takes no lock. The functions are entry stubs, which stay when the component
//! behind them is replaced.

use handover::VirtualRange;
use spin::Once;

use crate::{TrapFrame, TrapHandler};

/// What may have an exception done with before it is one: whether it has.
pub type ExceptionFilter = fn(&mut TrapFrame) -> bool;

const NON_MASKABLE_INTERRUPT: u8 = 2;

#[used]
static EXCEPTION: Once<TrapHandler> = Once::new();
#[used]
static FILTER: Once<ExceptionFilter> = Once::new();
#[used]
static END_OF_INTERRUPT: Once<fn(u8)> = Once::new();
#[used]
static PREEMPTION: Once<TrapHandler> = Once::new();
#[used]
static STACK_CHECK: Once<fn(VirtualRange) -> bool> = Once::new();

/// Names who handles exceptions (vectors below 32) without a handler of their own. The first one
/// stays.
pub fn set_exception_handler(handler: TrapHandler) {
    EXCEPTION.call_once(|| handler);
}

/// Names who looks at an exception before the exceptions' handler: when it answers true, the
/// interrupted code goes on where the frame says. Not asked about what the hardware reports of itself
/// by an NMI. The first one stays.
pub fn set_exception_filter(filter: ExceptionFilter) {
    FILTER.call_once(|| filter);
}

/// Names what tells the interrupt controller that the handler of a vector is done. The first one
/// stays.
pub fn set_end_of_interrupt(end: fn(u8)) {
    END_OF_INTERRUPT.call_once(|| end);
}

/// Names what is called at the end of a device's interrupt if the interrupted code may be
/// preempted: on its stack, with interrupts off, outside the handler. It may switch tasks, and change
/// where the interrupted code goes on. The first one stays.
pub fn set_preemption(preempt: TrapHandler) {
    PREEMPTION.call_once(|| preempt);
}

/// Names what tells whether a range of addresses is mapped and writable. It is called at any
/// interrupt or exception, so it must wait for no lock that its own CPU may hold. The first one stays.
pub fn set_stack_check(is_writable: fn(VirtualRange) -> bool) {
    STACK_CHECK.call_once(|| is_writable);
}

pub(crate) fn exception(frame: &mut TrapFrame) {
    if let Some(fix_up) = cpu::fix_up(frame.rip) {
        frame.rip = fix_up;
        return;
    }
    if frame.vector() != NON_MASKABLE_INTERRUPT && FILTER.get().is_some_and(|filter| filter(frame))
    {
        return;
    }
    match EXCEPTION.get() {
        Some(handler) => handler(frame),
        None => no_handler(frame),
    }
}

pub(crate) fn end_of_interrupt(vector: u8) {
    if let Some(end) = END_OF_INTERRUPT.get() {
        end(vector);
    }
}

pub(crate) fn preempt(frame: &mut TrapFrame) {
    if let Some(preempt) = PREEMPTION.get() {
        preempt(frame);
    }
}

pub(crate) fn is_writable(range: VirtualRange) -> bool {
    // Before there are guard pages there is nothing to look for.
    STACK_CHECK.get().is_none_or(|check| check(range))
}

fn no_handler(frame: &mut TrapFrame) {
    let address = x86_64::registers::control::Cr2::read_raw();
    cpu::fatal(format_args!(
        "exception {} (error code {:#x}) at {:#x}, stack {:#x}, CR2 {address:#x}: {frame:x?}",
        frame.vector, frame.error_code, frame.rip, frame.rsp,
    ));
}
