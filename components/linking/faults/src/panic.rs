//! The panic handler.

use crate::{
    report,
    symbol::{self, Origin},
};
use core::panic::PanicInfo;
use task::{Failure, Message};

/// Called by `core` for every panic.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let failure = Failure::Panic {
        message: Message::new(info.message()),
    };
    // All that lies below this frame's own values belongs to the handling of the panic.
    let origin = Origin::Above(core::ptr::from_ref(&failure).addr() as u64);
    if !cpu::interrupts_enabled() {
        task::settle_switch(core::ptr::from_ref(&failure).addr() as u64);
    }
    let in_handler = report::in_interrupt_handler();
    if !in_handler && !unwinder::can_end() {
        symbol::end_system(&failure, origin, info.location());
    }
    report::panicked(&failure, origin, info.location());
    unwinder::unwind_current(failure)
}
