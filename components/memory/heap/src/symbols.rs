//! The symbols that compiled code calls when it allocates.

use crate::Heap;

#[global_allocator]
static GLOBAL: Heap = Heap;

/// What `alloc` calls when an allocation that may not fail has failed: panics in the task.
#[unsafe(export_name = env!("STRAKE_ALLOC_ERROR_HANDLER"))]
#[expect(
    clippy::panic,
    reason = "the panic ends the task that asked for too much"
)]
extern "Rust" fn alloc_error_handler(size: usize, align: usize) -> ! {
    panic!("out of memory: allocation of {size} bytes, aligned to {align}, failed");
}

/// A symbol whose existence tells `alloc` that there is an allocator.
#[unsafe(export_name = env!("STRAKE_NO_ALLOC_SHIM"))]
extern "Rust" fn no_alloc_shim_is_unstable() {}
