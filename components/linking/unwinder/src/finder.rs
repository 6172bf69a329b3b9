//! Who knows where the unwind information of a piece of text lies: the loader, registered here.

use handover::VirtualRange;
use spin::Once;

/// Where the unwind information for one address lies.
///
/// The finder promises that the ranges are mapped, readable and hold the tables of the object whose
/// text the address is in, and that they stay as long as that text does.
#[derive(Clone, Copy, Debug)]
pub struct UnwindTable {
    /// The text of the object.
    pub text: VirtualRange,
    /// The object's `.eh_frame`, relocated.
    pub eh_frame: VirtualRange,
    /// The object's `.gcc_except_table`.
    pub except_table: VirtualRange,
    /// Offset in `.eh_frame` of the frame description entry that covers the address.
    pub entry_offset: u32,
}

/// Finds the unwind information for an address in text. It is called with interrupts in any state,
/// while anything else may be going on, so it must neither block nor allocate.
pub type Finder = fn(u64) -> Option<UnwindTable>;

#[used]
static FINDER: Once<Finder> = Once::new();

/// Registers the finder; the first one stays.
pub fn register_finder(finder: Finder) {
    FINDER.call_once(|| finder);
}

/// The unwind information for `address`.
pub(crate) fn find(address: u64) -> Option<UnwindTable> {
    FINDER.get()?(address)
}
