//! What upper layers register here.

use cpu::IrqMutex;
use handover::VirtualRange;

use crate::{TrapFrame, TrapHandler};

struct Hooks {
    exception: Option<TrapHandler>,
    end_of_interrupt: Option<fn(u8)>,
    preemption: Option<TrapHandler>,
    stack_check: Option<fn(VirtualRange) -> bool>,
}

#[used]
static HOOKS: IrqMutex<Hooks> = IrqMutex::new(Hooks {
    exception: None,
    end_of_interrupt: None,
    preemption: None,
    stack_check: None,
});

/// Names who handles exceptions (vectors below 32) without a handler of their own.
pub fn set_exception_handler(handler: TrapHandler) {
    HOOKS.lock().exception = Some(handler);
}

/// Names what tells the interrupt controller that the handler of a vector is done.
pub fn set_end_of_interrupt(end: fn(u8)) {
    HOOKS.lock().end_of_interrupt = Some(end);
}

/// Names what is called at the end of a device's interrupt if the interrupted code may be
/// preempted: on its stack, with interrupts off, outside the handler. It may switch tasks, and change
/// where the interrupted code goes on.
pub fn set_preemption(preempt: TrapHandler) {
    HOOKS.lock().preemption = Some(preempt);
}

/// Names what tells whether a range of addresses is mapped and writable. It must take no lock.
pub fn set_stack_check(is_writable: fn(VirtualRange) -> bool) {
    HOOKS.lock().stack_check = Some(is_writable);
}

pub(crate) fn exception(frame: &mut TrapFrame) {
    // An exception may hit anywhere, the code above included: never wait here.
    let handler = HOOKS.try_lock().and_then(|hooks| hooks.exception);
    handler.unwrap_or(no_handler)(frame);
}

pub(crate) fn end_of_interrupt(vector: u8) {
    let end = HOOKS.lock().end_of_interrupt;
    if let Some(end) = end {
        end(vector);
    }
}

pub(crate) fn preempt(frame: &mut TrapFrame) {
    let preempt = HOOKS.lock().preemption;
    if let Some(preempt) = preempt {
        preempt(frame);
    }
}

pub(crate) fn is_writable(range: VirtualRange) -> bool {
    match HOOKS.try_lock() {
        // Before there are guard pages there is nothing to look for.
        Some(hooks) => hooks.stack_check.is_none_or(|check| check(range)),
        None => true,
    }
}

fn no_handler(frame: &mut TrapFrame) {
    let address = x86_64::registers::control::Cr2::read_raw();
    cpu::fatal(format_args!(
        "exception {} (error code {:#x}) at {:#x}, stack {:#x}, CR2 {address:#x}: {frame:x?}",
        frame.vector, frame.error_code, frame.rip, frame.rsp,
    ));
}
