//! What compiled code calls by a fixed name.

use crate::raise::resume;
use core::arch::naked_asm;

/// What compiled code calls at the end of a cleanup pad.
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C-unwind" fn _Unwind_Resume(exception: *mut u8) -> ! {
    naked_asm!(
        ".cfi_startproc",
        "mov rsi, rdi",
        "mov rax, [rsp]",
        "lea rcx, [rsp + 8]",
        "sub rsp, 136",
        ".cfi_adjust_cfa_offset 136",
        "mov [rsp + 24], rbx",
        "mov [rsp + 48], rbp",
        "mov [rsp + 56], rcx",
        "mov [rsp + 96], r12",
        "mov [rsp + 104], r13",
        "mov [rsp + 112], r14",
        "mov [rsp + 120], r15",
        "mov [rsp + 128], rax",
        "mov rdi, rsp",
        "call {resume}",
        "ud2",
        ".cfi_endproc",
        resume = sym resume,
    )
}

/// Named by every unwind table; this unwinder reads the tables itself and never calls it.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}
