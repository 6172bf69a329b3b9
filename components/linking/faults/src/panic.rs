//! The panic handler.

use crate::{report, symbol};
use core::panic::PanicInfo;
use task::{Failure, Message};

/// Called by `core` for every panic.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let failure = Failure::Panic {
        message: Message::new(info.message()),
    };
    let in_handler = report::in_interrupt_handler();
    if !in_handler && !unwinder::can_catch() {
        symbol::end_system(&failure, None, info.location());
    }
    report::panicked(&failure, info.location());
    unwinder::unwind_current(failure)
}
