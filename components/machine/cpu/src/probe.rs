//! Reading memory that may not be there.
//!
//! One instruction may fault; its exception is not reported but goes on at the *fix-up*, which says that
//! there was nothing to read. Both addresses are asked of the code itself, so that they are right
//! whichever version of it runs.

use core::arch::naked_asm;

/// What [`probe`] is asked for.
const READ: u64 = 0;
const ADDRESSES: u64 = 1;

/// Two words, as a function returns them in registers.
#[repr(C)]
struct Pair {
    first: u64,
    second: u64,
}

/// The word at `address`; `None` when the CPU cannot read it. Works in any state of the system.
#[must_use]
pub fn probe_read(address: u64) -> Option<u64> {
    // SAFETY: the read has no effect on memory that is, and one of memory that is not goes on at the
    // fix-up. (Device registers, which may have effects, are nobody's stack or table.)
    let Pair { first, second } = unsafe { probe(address, READ) };
    (second == 0).then_some(first)
}

/// Where code goes on that an exception has hit at `instruction`, if it has a fix-up. For the
/// exceptions' handler.
#[must_use]
pub fn fix_up(instruction: u64) -> Option<u64> {
    // SAFETY: this reads nothing.
    let Pair { first, second } = unsafe { probe(0, ADDRESSES) };
    (first == instruction).then_some(second)
}

/// For [`READ`] the word at `address` and 0, or 0 and 1; for [`ADDRESSES`] those of the instruction
/// that may fault and of its fix-up.
#[unsafe(naked)]
unsafe extern "C" fn probe(address: u64, wanted: u64) -> Pair {
    naked_asm!(
        "test esi, esi",
        "jnz 4f",
        "2:",
        "mov rax, [rdi]",
        "xor edx, edx",
        "ret",
        "3:",
        "xor eax, eax",
        "mov edx, 1",
        "ret",
        "4:",
        "lea rax, [rip + 2b]",
        "lea rdx, [rip + 3b]",
        "ret",
    )
}
