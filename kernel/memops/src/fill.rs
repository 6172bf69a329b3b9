//! Filling.

use core::arch::naked_asm;

/// Sets `count` bytes from `destination` on to the low byte of `value` and returns `destination`.
///
/// # Safety
///
/// `destination` must be writable for `count` bytes.
#[cfg_attr(not(test), unsafe(no_mangle))]
#[unsafe(naked)]
pub unsafe extern "C" fn memset(destination: *mut u8, value: i32, count: usize) -> *mut u8 {
    naked_asm!(
        ".cfi_startproc",
        "mov rax, rdi",
        // The byte in all eight places.
        "movzx esi, sil",
        "movabs rcx, 0x0101010101010101",
        "imul rcx, rsi",
        "cmp rdx, 16",
        "jb 4f",
        "movq xmm0, rcx",
        "punpcklqdq xmm0, xmm0",
        "lea rcx, [rdi + rdx - 16]", // where the last 16 bytes begin
        "sub rdx, 64",
        "jb 3f",
        "2:",
        "movups [rdi], xmm0",
        "movups [rdi + 16], xmm0",
        "movups [rdi + 32], xmm0",
        "movups [rdi + 48], xmm0",
        "add rdi, 64",
        "sub rdx, 64",
        "jae 2b",
        "3:",
        "cmp rdi, rcx",
        "jae 5f",
        "movups [rdi], xmm0",
        "add rdi, 16",
        "jmp 3b",
        "5:",
        "movups [rcx], xmm0",
        "ret",
        // Less than 16.
        "4:",
        "cmp edx, 8",
        "jb 6f",
        "mov [rdi], rcx",
        "mov [rdi + rdx - 8], rcx",
        "ret",
        "6:",
        "cmp edx, 4",
        "jb 7f",
        "mov [rdi], ecx",
        "mov [rdi + rdx - 4], ecx",
        "ret",
        "7:",
        "test edx, edx",
        "jz 9f",
        "mov [rdi], cl",
        "mov [rdi + rdx - 1], cl",
        "cmp edx, 3",
        "jb 9f",
        "mov [rdi + 1], cl",
        "9:",
        "ret",
        ".cfi_endproc",
    )
}
