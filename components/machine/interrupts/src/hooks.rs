//! What upper layers register here.
//!
//! Each is registered once and read at every interrupt on every CPU, also by an exception that hits
//! anywhere: so reading takes no lock. The functions are entry stubs, which stay when the component
//! behind them is replaced.

use core::sync::atomic::Ordering;

use handover::VirtualRange;
use spin::Once;

use crate::{TrapFrame, TrapHandler};

/// What may have an exception done with before it is one: whether it has.
pub type ExceptionFilter = fn(&mut TrapFrame) -> bool;

const NON_MASKABLE_INTERRUPT: u8 = 2;

/// Exceptions within exceptions, all on one CPU, after which the handling itself is what is broken.
const MOST_NESTED: u32 = 8;

#[used]
static EXCEPTION: Once<TrapHandler> = Once::new();
#[used]
static FILTER: Once<ExceptionFilter> = Once::new();
#[used]
static END_OF_INTERRUPT: Once<fn(u8)> = Once::new();
#[used]
static PREEMPTION: Once<TrapHandler> = Once::new();
#[used]
static STACK_OWNER: Once<StackOwner> = Once::new();
#[used]
static STACK_GROWTH: Once<StackGrowth> = Once::new();
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

/// What a range of addresses is to the running flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Part of its stack: writable, and mapped, or to be mapped when it is touched.
    Own,
    /// Something else, which must not be written.
    Foreign,
    /// Near its stack, or there is no flow yet: the page tables have to say.
    Unknown,
}

/// Tells what a range of addresses is to the running flow; if it is its own, it is mapped from the given
/// address on.
pub type StackOwner = fn(VirtualRange, u64) -> Room;

/// Names what tells whether a range of addresses is part of the running flow's stack: a stack pointer
/// that has gone wild may point to anything that is writable. It is called at any interrupt or
/// exception, so it must wait for no lock that its own CPU may hold. The first one stays.
pub fn set_stack_owner(owner: StackOwner) {
    STACK_OWNER.call_once(|| owner);
}

/// What a page of a stack is wanted for, which decides where its frame may come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StackNeed {
    /// Code that had interrupts on, and so holds no lock that keeps them off.
    Preemptible,
    /// Code that may hold any lock.
    Anywhere,
    /// The end of a task, which must not fail for lack of memory.
    Ending,
}

/// Maps the page of an address if it is part of the running flow's stack; whether it is mapped then.
pub type StackGrowth = fn(u64, StackNeed) -> bool;

/// Names what maps pages of stacks when they are first touched. It is called by any page fault, with
/// interrupts off, and must wait for no lock that its own CPU may hold. The first one stays.
pub fn set_stack_growth(grow: StackGrowth) {
    STACK_GROWTH.call_once(|| grow);
}

/// Names what tells whether a range of addresses is mapped and writable. It is called at any
/// interrupt or exception, so it must wait for no lock that its own CPU may hold. The first one stays.
pub fn set_stack_check(is_writable: fn(VirtualRange) -> bool) {
    STACK_CHECK.call_once(|| is_writable);
}

pub(crate) fn exception(frame: &mut TrapFrame) {
    // An NMI is nothing that the interrupted instruction has caused.
    if frame.vector() == NON_MASKABLE_INTERRUPT {
        return handle(frame);
    }
    if let Some(fix_up) = cpu::fix_up(frame.rip) {
        frame.rip = fix_up;
        return;
    }
    let depth = &cpu::local().exception_depth;
    if depth.fetch_add(1, Ordering::Relaxed) >= MOST_NESTED {
        no_handler(frame);
    }
    handle(frame);
    let before = depth.load(Ordering::Relaxed);
    depth.store(before.saturating_sub(1), Ordering::Relaxed);
}

fn handle(frame: &mut TrapFrame) {
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

/// Maps the page of `address` if it is part of the running flow's stack; whether it is mapped then.
pub(crate) fn grow(address: u64, need: StackNeed) -> bool {
    STACK_GROWTH.get().is_some_and(|grow| grow(address, need))
}

/// Whether `range`, which ends at the interrupted stack pointer, is free room of a stack, and mapped from
/// `touched` on: a page fault there would come on the stack of page faults, where perhaps one is being
/// entered.
pub(crate) fn has_room(range: VirtualRange, touched: u64) -> bool {
    match STACK_OWNER
        .get()
        .map_or(Room::Unknown, |owner| owner(range, touched))
    {
        Room::Own => true,
        Room::Foreign => false,
        // Before there are guard pages there is nothing to look for.
        Room::Unknown => STACK_CHECK.get().is_none_or(|check| check(range)),
    }
}

fn no_handler(frame: &mut TrapFrame) {
    cpu::fatal(format_args!(
        "exception {} (error code {:#x}) at {:#x}, stack {:#x}, CR2 {:#x}: {frame:x?}",
        frame.vector, frame.error_code, frame.rip, frame.rsp, frame.fault_address,
    ));
}
