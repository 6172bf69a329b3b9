//! What compiled code demands of a final program: panic handler, allocator shims, unwinder symbols.

use crate::{
    exit::{self, Status},
    say,
};
use core::{alloc::Layout, panic::PanicInfo};

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    say::line(format_args!("\nstrake: the nucleus {info}"));
    exit::exit(Status::Failure);
}

/// Called by `alloc` when there is no memory.
#[unsafe(export_name = env!("STRAKE_ALLOC_ERROR_HANDLER"))]
fn alloc_error_handler(size: usize, align: usize) -> ! {
    let layout = Layout::from_size_align(size, align);
    crate::memory::exhausted(layout.map_or(size, |layout| layout.size()));
}

/// Called by `alloc` for nothing but its existence.
#[unsafe(export_name = env!("STRAKE_NO_ALLOC_SHIM"))]
fn no_alloc_shim() {}

/// Named by every unwind table. Nothing unwinds in the nucleus, whose tables are left out.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() -> ! {
    exit::exit(Status::Failure);
}

/// Named by every landing pad. None is ever entered in the nucleus.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    exit::exit(Status::Failure);
}
