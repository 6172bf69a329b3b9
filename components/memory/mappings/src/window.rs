//! Writing a page that is mapped read-only, while all other CPUs stand still.
//!
//! Unlike [`Mapping::alias`](crate::Mapping::alias) this takes no lock and no memory, so that damaged
//! text can be put right in an exception, whatever its victim was doing.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use x86_64::structures::paging::PageTableFlags;

use crate::{
    MappingError,
    space::{PAGE, READ_WRITE, WINDOW},
    table::{self, Entry, Level},
};

/// Words of a page.
const WORDS: usize = 512;

/// Whether somebody is writing: only a fault in `operation` can find it so.
#[used]
static OPEN: AtomicBool = AtomicBool::new(false);

/// Runs `operation` on a writable view of the words of the page at `address`.
///
/// # Errors
///
/// When the page is not mapped, or this is called by `operation`.
///
/// # Safety
///
/// Interrupts must be off, and all other CPUs be parked. What is written must be what all who read or
/// execute the page can bear. `operation` must not wait.
pub unsafe fn with_window<R>(
    address: u64,
    operation: impl FnOnce(&[AtomicU64; WORDS]) -> R,
) -> Result<R, MappingError> {
    let (level, entry) = table::walk(address);
    if level != Level::Page || !entry.flags().contains(PageTableFlags::PRESENT) {
        return Err(MappingError::NotMapped { address });
    }
    if OPEN.swap(true, Ordering::Acquire) {
        return Err(MappingError::AlreadyMapped { address: WINDOW });
    }
    let open = Open::new(entry);
    // SAFETY: the page is mapped writable until `open` is dropped, and only for this caller.
    let words = unsafe { &*(WINDOW as *const [AtomicU64; WORDS]) };
    let result = operation(words);
    drop(open);
    Ok(result)
}

/// The window shows a page; dropping it shuts it.
struct Open;

impl Open {
    fn new(entry: Entry) -> Self {
        // SAFETY: the tables above the window are there since the start, and nobody else uses it.
        unsafe { table::write(Level::Page, WINDOW, Entry::new(entry.frame(), READ_WRITE)) };
        table::forget(WINDOW);
        Self
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // SAFETY: as in `new`; no reference into the window is left.
        unsafe { table::write(Level::Page, WINDOW, Entry::NONE) };
        table::forget(WINDOW);
        OPEN.store(false, Ordering::Release);
    }
}

const _: () = assert!(PAGE == (WORDS * size_of::<u64>()) as u64);
