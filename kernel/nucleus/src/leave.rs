//! The jump into the components.

use crate::address_space::AddressSpace;
use core::arch::asm;
use handover::{VirtualRange, layout::HANDOVER};

/// Switches to the final page tables and the boot stack and goes to `entry`.
///
/// A zero stands where a caller's return address would be: whoever walks the stack stops there.
///
/// # Safety
///
/// The tables must map `stack` writable, the hand-over record at [`HANDOVER`], and the code at
/// `entry`, a function that takes the record and never returns, with all that it refers to.
pub(crate) unsafe fn leave(space: &AddressSpace, stack: VirtualRange, entry: u64) -> ! {
    // SAFETY: the nucleus is identity mapped in both sets of tables; the rest is the caller's duty.
    unsafe {
        asm!(
            "mov cr3, {root}",
            "mov rsp, {stack}",
            "xor ebp, ebp",
            "push 0",
            "jmp {entry}",
            root = in(reg) space.root(),
            stack = in(reg) stack.end,
            entry = in(reg) entry,
            in("rdi") HANDOVER,
            options(noreturn),
        );
    }
}
