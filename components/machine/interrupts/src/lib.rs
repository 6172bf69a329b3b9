//! Interrupt and exception entry, and who handles which vector.
//!
//! Every vector enters on an interrupt stack of the CPU, because prebuilt code uses the red zone
//! below the stack pointer. There the registers are saved in a [`TrapFrame`], and the frame is moved
//! to 128 bytes below the interrupted stack pointer, where the handler runs: so it may switch tasks
//! in the middle, and the unwinder finds the interrupted code below it. Only if the interrupted
//! stack has no room (it overflowed, or its pointer is wild) does the frame stay where it is; see
//! [`TrapFrame::on_interrupted_stack`]. A page fault that only wants more of the stack mapped goes no
//! further than its interrupt stack.
//!
//! Principles: a handler is registered as a value, and dropping it unregisters. Handlers run with
//! interrupts off. What upper layers do here they register: the end of an interrupt (`apic`),
//! preemption and the growth of stacks (`task`), exceptions (`integrity`, then `faults`), the look at the interrupted stack (`mappings`).
//! Gates hold the addresses of entry stubs, so even entry code can be replaced.
//!
//! Unwinding: the entry code has unwind information, as a signal frame whose CFA is the
//! `TrapFrame` and whose every register, the stack pointer too, is an offset from it. (Its address
//! is no way to know it: the address of a function is that of its stub.)
//!
//! Left out: interrupt controllers, and what an exception means.
#![no_std]

mod entry;
mod frame;
mod hooks;
mod idt;
mod vectors;

use component::{Handover, StartError};

pub use entry::{abandon_handler, handles_interrupt, is_unended};
pub use frame::{TrapFrame, TrapHandler};
pub use hooks::{
    ExceptionFilter, Room, StackGrowth, StackNeed, StackOwner, set_end_of_interrupt,
    set_exception_filter, set_exception_handler, set_preemption, set_stack_check, set_stack_growth,
    set_stack_owner,
};
pub use idt::load;
pub use vectors::{
    EXCEPTIONS, FIRST_DEVICE_VECTOR, LAST_DEVICE_VECTOR, Registration, VectorError, allocate,
    count, register, unhandled,
};

component::component! { start: start }

/// Fills the descriptor table and gives it to the boot CPU. Interrupts stay off.
fn start(_: &'static Handover) -> Result<(), StartError> {
    idt::fill();
    idt::load();
    Ok(())
}
