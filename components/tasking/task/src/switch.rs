//! The switch between two stacks.

use crate::{builder, schedule};
use core::{arch::naked_asm, mem::size_of};

/// Words that [`switch_stacks`] leaves on the stack that it leaves: six registers and the return
/// address.
const SAVED_WORDS: usize = 7;

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
#[unsafe(naked)]
pub(crate) unsafe extern "C-unwind" fn switch_stacks(save: *mut usize, load: usize) {
    naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_adjust_cfa_offset 8",
        ".cfi_rel_offset rbp, 0",
        "push rbx",
        ".cfi_adjust_cfa_offset 8",
        ".cfi_rel_offset rbx, 0",
        "push r12",
        ".cfi_adjust_cfa_offset 8",
        ".cfi_rel_offset r12, 0",
        "push r13",
        ".cfi_adjust_cfa_offset 8",
        ".cfi_rel_offset r13, 0",
        "push r14",
        ".cfi_adjust_cfa_offset 8",
        ".cfi_rel_offset r14, 0",
        "push r15",
        ".cfi_adjust_cfa_offset 8",
        ".cfi_rel_offset r15, 0",
        "mov [rdi], rsp",
        "mov rsp, rsi",
        "pop r15",
        ".cfi_adjust_cfa_offset -8",
        "pop r14",
        ".cfi_adjust_cfa_offset -8",
        "pop r13",
        ".cfi_adjust_cfa_offset -8",
        "pop r12",
        ".cfi_adjust_cfa_offset -8",
        "pop rbx",
        ".cfi_adjust_cfa_offset -8",
        "pop rbp",
        ".cfi_adjust_cfa_offset -8",
        "ret",
        ".cfi_endproc",
    )
}

/// Where a new task begins, by the `ret` of [`switch_stacks`]: on an empty stack, interrupts off.
///
/// The zero under the entry's return address is where a walk over the stack ends.
#[unsafe(naked)]
unsafe extern "C-unwind" fn enter() {
    naked_asm!("xor ebp, ebp", "push rbp", "call {main}", "ud2", main = sym main)
}

/// The first function of every task but the first.
extern "C-unwind" fn main() -> ! {
    schedule::finish_switch();
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
    let words: [usize; SAVED_WORDS + 1] = [0, 0, 0, 0, 0, 0, enter as *const () as usize, 0];
    // SAFETY: the words lie below `top`, in memory that the caller gives us.
    unsafe { core::ptr::write(stack_pointer as *mut [usize; SAVED_WORDS + 1], words) };
    stack_pointer
}
