//! Copying.

#![expect(clippy::too_many_lines, reason = "one instruction a line")]

use core::arch::naked_asm;

/// Copies `count` bytes from `source` to `destination` and returns `destination`.
///
/// Up to 64 bytes, everything is loaded before anything is stored. Beyond, blocks of 64 go upwards
/// (from 1 KiB on words, by one instruction that the CPU knows how to do well) and the last 64 bytes,
/// loaded before the first store, come last; so the function is right for overlapping ranges, too, if
/// `destination` is the lower one.
///
/// # Safety
///
/// `source` must be readable and `destination` writable for `count` bytes, and the ranges must not
/// overlap.
#[cfg_attr(not(test), unsafe(no_mangle))]
#[unsafe(naked)]
pub unsafe extern "C" fn memcpy(destination: *mut u8, source: *const u8, count: usize) -> *mut u8 {
    naked_asm!(
        ".cfi_startproc",
        "mov rax, rdi",
        "cmp rdx, 16",
        "jb 4f",
        "cmp rdx, 32",
        "ja 2f",
        // 16 to 32: the first and the last 16.
        "movups xmm0, [rsi]",
        "movups xmm1, [rsi + rdx - 16]",
        "movups [rdi], xmm0",
        "movups [rdi + rdx - 16], xmm1",
        "ret",
        // More than 32: the last 32, or the last 64.
        "2:",
        "movups xmm4, [rsi + rdx - 16]",
        "movups xmm5, [rsi + rdx - 32]",
        "cmp rdx, 64",
        "ja 3f",
        "movups xmm0, [rsi]",
        "movups xmm1, [rsi + 16]",
        "movups [rdi], xmm0",
        "movups [rdi + 16], xmm1",
        "movups [rdi + rdx - 16], xmm4",
        "movups [rdi + rdx - 32], xmm5",
        "ret",
        "3:",
        "movups xmm6, [rsi + rdx - 48]",
        "movups xmm7, [rsi + rdx - 64]",
        "lea rcx, [rdi + rdx - 64]", // where the last 64 bytes go
        "cmp rdx, 1024",
        "jae 10f",
        "5:",
        "movups xmm0, [rsi]",
        "movups xmm1, [rsi + 16]",
        "movups xmm2, [rsi + 32]",
        "movups xmm3, [rsi + 48]",
        "movups [rdi], xmm0",
        "movups [rdi + 16], xmm1",
        "movups [rdi + 32], xmm2",
        "movups [rdi + 48], xmm3",
        "add rsi, 64",
        "add rdi, 64",
        "cmp rdi, rcx",
        "jb 5b",
        "11:",
        "movups [rcx], xmm7",
        "movups [rcx + 16], xmm6",
        "movups [rcx + 32], xmm5",
        "movups [rcx + 48], xmm4",
        "ret",
        // Long: words, upwards; the last 64 bytes cover the few that are no word.
        "10:",
        "mov r8, rcx",
        "mov rcx, rdx",
        "shr rcx, 3",
        "rep movsq",
        "mov rcx, r8",
        "jmp 11b",
        // Less than 16.
        "4:",
        "cmp edx, 8",
        "jb 6f",
        "mov rcx, [rsi]",
        "mov r8, [rsi + rdx - 8]",
        "mov [rdi], rcx",
        "mov [rdi + rdx - 8], r8",
        "ret",
        "6:",
        "cmp edx, 4",
        "jb 7f",
        "mov ecx, [rsi]",
        "mov r8d, [rsi + rdx - 4]",
        "mov [rdi], ecx",
        "mov [rdi + rdx - 4], r8d",
        "ret",
        "7:",
        "cmp edx, 2",
        "jb 8f",
        "movzx ecx, word ptr [rsi]",
        "movzx r8d, word ptr [rsi + rdx - 2]",
        "mov [rdi], cx",
        "mov [rdi + rdx - 2], r8w",
        "ret",
        "8:",
        "test edx, edx",
        "jz 9f",
        "movzx ecx, byte ptr [rsi]",
        "mov [rdi], cl",
        "9:",
        "ret",
        ".cfi_endproc",
    )
}

/// Copies `count` bytes from `source` to `destination`, which may overlap, and returns
/// `destination`.
///
/// All cases but one are `memcpy`'s; what is left is a long range that overlaps a higher
/// destination, which is copied downwards, the first 64 bytes last.
///
/// # Safety
///
/// `source` must be readable and `destination` writable for `count` bytes.
#[cfg_attr(not(test), unsafe(no_mangle))]
#[unsafe(naked)]
pub unsafe extern "C" fn memmove(destination: *mut u8, source: *const u8, count: usize) -> *mut u8 {
    naked_asm!(
        ".cfi_startproc",
        "cmp rdx, 64",
        "jbe {memcpy}",
        // destination − source, unsigned: below `count` only if destination is inside, and higher.
        "mov rcx, rdi",
        "sub rcx, rsi",
        "cmp rcx, rdx",
        "jae {memcpy}",
        "mov rax, rdi",
        "movups xmm4, [rsi]",
        "movups xmm5, [rsi + 16]",
        "movups xmm6, [rsi + 32]",
        "movups xmm7, [rsi + 48]",
        "2:",
        "movups xmm0, [rsi + rdx - 16]",
        "movups xmm1, [rsi + rdx - 32]",
        "movups xmm2, [rsi + rdx - 48]",
        "movups xmm3, [rsi + rdx - 64]",
        "movups [rdi + rdx - 16], xmm0",
        "movups [rdi + rdx - 32], xmm1",
        "movups [rdi + rdx - 48], xmm2",
        "movups [rdi + rdx - 64], xmm3",
        "sub rdx, 64",
        "cmp rdx, 64",
        "ja 2b",
        "movups [rdi], xmm4",
        "movups [rdi + 16], xmm5",
        "movups [rdi + 32], xmm6",
        "movups [rdi + 48], xmm7",
        "ret",
        ".cfi_endproc",
        memcpy = sym memcpy,
    )
}
