//! Comparing and measuring.

#![expect(clippy::too_many_lines, reason = "one instruction a line")]

use core::arch::naked_asm;

/// Compares `count` bytes: negative, zero or positive as the first bytes that differ, unsigned.
///
/// # Safety
///
/// Both ranges must be readable for `count` bytes.
#[cfg_attr(not(test), unsafe(no_mangle))]
#[unsafe(naked)]
pub unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, count: usize) -> i32 {
    naked_asm!(
        ".cfi_startproc",
        "cmp rdx, 16",
        "jb 4f",
        // Blocks of 16; the last one ends at the ranges' end and may overlap its equal forerunner.
        "lea r8, [rdi + rdx - 16]",
        "lea r9, [rsi + rdx - 16]",
        "2:",
        "cmp rdi, r8",
        "jae 3f",
        "movups xmm0, [rdi]",
        "movups xmm1, [rsi]",
        "pcmpeqb xmm0, xmm1",
        "pmovmskb eax, xmm0",
        "xor eax, 0xffff",
        "jnz 5f",
        "add rdi, 16",
        "add rsi, 16",
        "jmp 2b",
        "3:",
        "mov rdi, r8",
        "mov rsi, r9",
        "movups xmm0, [rdi]",
        "movups xmm1, [rsi]",
        "pcmpeqb xmm0, xmm1",
        "pmovmskb eax, xmm0",
        "xor eax, 0xffff",
        "jz 9f",
        // Bit k of eax: byte k of the block differs.
        "5:",
        "bsf ecx, eax",
        "movzx eax, byte ptr [rdi + rcx]",
        "movzx ecx, byte ptr [rsi + rcx]",
        "sub eax, ecx",
        "9:",
        "ret",
        // Less than 16: as big-endian numbers, since then the first byte weighs most.
        "4:",
        "cmp edx, 8",
        "jb 6f",
        "mov rax, [rdi]",
        "mov rcx, [rsi]",
        "cmp rax, rcx",
        "jne 7f",
        "mov rax, [rdi + rdx - 8]",
        "mov rcx, [rsi + rdx - 8]",
        "cmp rax, rcx",
        "jne 7f",
        "xor eax, eax",
        "ret",
        "6:",
        "cmp edx, 4",
        "jb 8f",
        "mov eax, [rdi]",
        "mov ecx, [rsi]",
        "cmp eax, ecx",
        "jne 7f",
        "mov eax, [rdi + rdx - 4]",
        "mov ecx, [rsi + rdx - 4]",
        "cmp eax, ecx",
        "jne 7f",
        "xor eax, eax",
        "ret",
        "7:",
        "bswap rax",
        "bswap rcx",
        "cmp rax, rcx",
        "sbb eax, eax",
        "or eax, 1",
        "ret",
        // Less than 4: byte by byte.
        "8:",
        "xor eax, eax",
        "xor r8d, r8d",
        "2:",
        "cmp r8d, edx",
        "jae 9f",
        "movzx eax, byte ptr [rdi + r8]",
        "movzx ecx, byte ptr [rsi + r8]",
        "inc r8d",
        "sub eax, ecx",
        "jz 2b",
        "9:",
        "ret",
        ".cfi_endproc",
    )
}

/// Compares `count` bytes: zero if and only if all are equal.
///
/// # Safety
///
/// Both ranges must be readable for `count` bytes.
#[cfg_attr(not(test), unsafe(no_mangle))]
#[unsafe(naked)]
pub unsafe extern "C" fn bcmp(left: *const u8, right: *const u8, count: usize) -> i32 {
    naked_asm!(
        ".cfi_startproc",
        "jmp {memcmp}",
        ".cfi_endproc",
        memcmp = sym memcmp,
    )
}

/// Number of bytes before the first zero byte from `text` on.
///
/// # Safety
///
/// Every byte from `text` up to and with the first zero byte must be readable.
#[cfg_attr(not(test), unsafe(no_mangle))]
#[unsafe(naked)]
pub unsafe extern "C" fn strlen(text: *const u8) -> usize {
    naked_asm!(
        ".cfi_startproc",
        "xor eax, eax",
        "2:",
        "cmp byte ptr [rdi + rax], 0",
        "je 3f",
        "inc rax",
        "jmp 2b",
        "3:",
        "ret",
        ".cfi_endproc",
    )
}
