//! The switch between two stacks.

use crate::{builder, requests, schedule};
use core::{
    arch::{asm, naked_asm},
    mem::size_of,
};

/// Words that [`exchange_stacks`] leaves on the stack that it leaves: two registers and the return
/// address.
const SAVED_WORDS: usize = 3;

/// Saves the callee-saved registers on this stack, stores the stack pointer in `*save` and goes on
/// with the stack pointer `load` where it once did the same.
///
/// The direction flag, the x87 control word and MXCSR are callee-saved too, but nothing here ever
/// changes them, and an interrupt's entry saves them for the code that it interrupts.
///
/// # Safety
///
/// Interrupts must be off, `save` must be valid for writing, and `load` must have been stored by
/// this function, or made by [`prepare`], for a stack that no CPU uses.
#[inline(always)]
pub(crate) unsafe fn switch_stacks(save: *mut usize, load: usize) {
    // Named as lost, the other callee-saved registers are saved where the function begins that this is
    // compiled into, and only once, whatever that uses them for itself.
    // SAFETY: the callee keeps what is not named here, and comes back with the stack as it was when
    // somebody switches to it; the rest is the caller's promise.
    unsafe {
        asm!(
            "call {exchange}",
            exchange = sym exchange_stacks,
            in("rdi") save,
            in("rsi") load,
            out("r12") _,
            out("r13") _,
            out("r14") _,
            out("r15") _,
            clobber_abi("C"),
        );
    }
}

/// The switch itself, without the registers that [`switch_stacks`] names as lost.
#[unsafe(naked)]
unsafe extern "C-unwind" fn exchange_stacks(save: *mut usize, load: usize) {
    naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_adjust_cfa_offset 8",
        ".cfi_rel_offset rbp, 0",
        "push rbx",
        ".cfi_adjust_cfa_offset 8",
        ".cfi_rel_offset rbx, 0",
        "mov [rdi], rsp",
        "mov rsp, rsi",
        "pop rbx",
        ".cfi_adjust_cfa_offset -8",
        ".cfi_same_value rbx",
        "pop rbp",
        ".cfi_adjust_cfa_offset -8",
        ".cfi_same_value rbp",
        "ret",
        ".cfi_endproc",
    )
}

/// Where a new task begins, by the `ret` of [`exchange_stacks`]: on an empty stack, interrupts off.
///
/// The zero under the entry's return address is where a walk over the stack ends.
#[unsafe(naked)]
unsafe extern "C-unwind" fn enter() {
    naked_asm!("xor ebp, ebp", "push rbp", "call {main}", "ud2", main = sym main)
}

/// The first function of every task but the first.
extern "C-unwind" fn main() -> ! {
    schedule::finish_switch();
    requests::look();
    cpu::enable_interrupts();
    builder::run_current()
}

/// Lays out the end of a fresh stack so that [`switch_stacks`] to it begins a task, and returns the
/// stack pointer to switch to.
///
/// # Safety
///
/// `top` must be the end of mapped, writable memory of at least a page that nothing else uses.
pub(crate) unsafe fn prepare(top: u64) -> usize {
    let top = usize::try_from(top).unwrap_or(0) & !15;
    // The entry is reached by `ret`, so the stack is aligned there as it is after a `call`'s pop:
    // `enter` pushes one word and calls, which gives `main` the alignment that the ABI wants.
    let stack_pointer = top - (SAVED_WORDS + 1) * size_of::<usize>();
    let words: [usize; SAVED_WORDS + 1] = [0, 0, enter as *const () as usize, 0];
    // SAFETY: the words lie below `top`, in memory that the caller gives us.
    unsafe { core::ptr::write(stack_pointer as *mut [usize; SAVED_WORDS + 1], words) };
    stack_pointer
}
