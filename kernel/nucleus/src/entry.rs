//! From the boot loader's 32-bit jump to [`crate::bring_up::nucleus_main`].
//!
//! Both protocols enter in 32-bit protected mode with flat segments, paging off and interrupts off;
//! they differ in the register contents. What long mode needs is set up in the order that the Intel
//! manual (volume 3, 10.8.5 "Initializing IA-32e Mode") gives: PAE, root table, LME, paging.

use core::arch::global_asm;

/// Value passed for a machine that multiboot2 booted.
pub(crate) const MULTIBOOT2: u32 = 1;
/// Value passed for a machine that PVH booted.
pub(crate) const PVH: u32 = 2;

// The multiboot2 header (specification 3.1). Information requests are marked optional (flag 1),
// because a firmware without ACPI or a loader without a command line is no reason not to boot. No
// framebuffer tag: the loader leaves the display in EGA text mode where there is one. GRUB leaves
// UEFI's boot services and enters at the ELF file's entry point.
global_asm!(
    ".pushsection .multiboot2, \"a\", @progbits",
    ".balign 8",
    "2:",
    ".long 0xe85250d6, 0, 3f - 2b, -(0xe85250d6 + 0 + (3f - 2b))",
    // Information request: command line, modules, memory map, EFI system table, ACPI old and new.
    ".balign 8",
    ".short 1, 1",
    ".long 8 + 6 * 4",
    ".long 1, 3, 6, 12, 14, 15",
    // Console: EGA text is understood, none is required.
    ".balign 8",
    ".short 4, 1",
    ".long 12, 2",
    // Modules page aligned: the archive is mapped as it lies.
    ".balign 8",
    ".short 6, 0",
    ".long 8",
    ".balign 8",
    ".short 0, 0",
    ".long 8",
    "3:",
    ".popsection",
    // Xen's PVH entry point (type 18, XEN_ELFNOTE_PHYS32_ENTRY).
    ".pushsection .note.pvh, \"a\", @note",
    ".balign 4",
    ".long 4, 8, 18",
    ".asciz \"Xen\"",
    ".quad nucleus_enter_pvh",
    ".popsection",
);

// The 32-bit part. `edi` = protocol, `esi` = the protocol's information structure; they are the first
// two arguments of the 64-bit call at the end and nothing in between touches them.
global_asm!(
    ".pushsection .text.nucleus_entry, \"ax\", @progbits",
    ".code32",
    ".global nucleus_enter_multiboot2",
    "nucleus_enter_multiboot2:",
    "mov edi, {multiboot2}",
    "cmp eax, 0x36d76289", // the loader's magic number (3.3): else this is no multiboot2 loader
    "mov esi, ebx",
    "je 2f",
    "xor edi, edi",
    "jmp 2f",
    ".global nucleus_enter_pvh",
    "nucleus_enter_pvh:",
    "mov edi, {pvh}",
    "mov esi, ebx",
    "2:",
    "cli",
    "cld",
    "mov esp, offset nucleus_boot_stack_end",
    // Long mode? Without it there is no way to the 64-bit message writer.
    "mov eax, 0x80000000",
    "cpuid",
    "cmp eax, 0x80000001",
    "jb nucleus_no_long_mode",
    "mov eax, 0x80000001",
    "cpuid",
    "bt edx, 29",
    "jnc nucleus_no_long_mode",
    // Identity map of the first 4 GiB with 2 MiB pages: present, writable, large.
    "mov eax, offset nucleus_boot_directories",
    "mov ecx, 0x83",
    "3:",
    "mov [eax], ecx",
    "mov dword ptr [eax + 4], 0",
    "add eax, 8",
    "add ecx, 0x200000",
    "cmp eax, offset nucleus_boot_directories + 4 * 4096",
    "jb 3b",
    "mov eax, offset nucleus_boot_directories + 3",
    "mov ecx, offset nucleus_boot_pointers",
    "4:",
    "mov [ecx], eax",
    "add ecx, 8",
    "add eax, 4096",
    "cmp ecx, offset nucleus_boot_pointers + 4 * 8",
    "jb 4b",
    "mov eax, offset nucleus_boot_pointers + 3",
    "mov [nucleus_boot_root], eax",
    // CR4: PAE (5), OSFXSR (9), OSXMMEXCPT (10): compiled code uses SSE2.
    "mov eax, cr4",
    "or eax, 0x620",
    "mov cr4, eax",
    "mov eax, offset nucleus_boot_root",
    "mov cr3, eax",
    // EFER: LME (8). NXE waits for the check that the CPU has it.
    "mov ecx, 0xc0000080",
    "rdmsr",
    "bts eax, 8",
    "wrmsr",
    // CR0: PE, MP (1), ET, NE (5), PG (31); no EM (2), no TS (3).
    "mov eax, cr0",
    "and eax, 0xfffffff3",
    "or eax, 0x80000023",
    "mov cr0, eax",
    "lgdt [nucleus_gdt_register]",
    // A far return, because a far jump with a 64-bit target has no encoding here.
    "push 0x08",
    "mov eax, offset nucleus_enter_long_mode",
    "push eax",
    "retf",
    "nucleus_no_long_mode:",
    "mov esi, offset nucleus_no_long_mode_message",
    "5:",
    "lodsb",
    "test al, al",
    "jz 7f",
    "mov bl, al",
    "mov ecx, 100000", // wait for the port, but not for ever: it may not exist
    "6:",
    "mov edx, 0x3fd",
    "in al, dx",
    "dec ecx",
    "jz 8f",
    "test al, 0x20",
    "jz 6b",
    "8:",
    "mov edx, 0x3f8",
    "mov al, bl",
    "out dx, al",
    "jmp 5b",
    "7:",
    "mov al, {no_long_mode}",
    "out 0xf4, al",
    "9:",
    "hlt",
    "jmp 9b",
    ".code64",
    "nucleus_enter_long_mode:",
    "mov eax, 0x10",
    "mov ds, eax",
    "mov es, eax",
    "mov ss, eax",
    "mov fs, eax",
    "mov gs, eax",
    "mov edi, edi", // the upper halves are undefined after the switch
    "mov esi, esi",
    "mov rsp, offset nucleus_boot_stack_end",
    "xor ebp, ebp",
    "call {main}",
    "ud2",
    ".popsection",
    ".pushsection .rodata.nucleus_entry, \"a\", @progbits",
    "nucleus_no_long_mode_message:",
    ".asciz \"strake: this CPU has no 64-bit mode; an x86-64 CPU is needed\\r\\n\"",
    ".balign 8",
    // Null, 64-bit code, data. Accessed bits set, so that the CPU never writes here.
    "nucleus_gdt:",
    ".quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff",
    "nucleus_gdt_register:",
    ".short 23",
    ".quad nucleus_gdt",
    ".popsection",
    ".pushsection .bss.nucleus_entry, \"aw\", @nobits",
    ".balign 4096",
    "nucleus_boot_root: .skip 4096",
    "nucleus_boot_pointers: .skip 4096",
    "nucleus_boot_directories: .skip 4 * 4096",
    "nucleus_boot_stack: .skip 65536",
    "nucleus_boot_stack_end:",
    ".popsection",
    multiboot2 = const MULTIBOOT2,
    pvh = const PVH,
    no_long_mode = const crate::exit::Status::Cpu as u8,
    main = sym crate::bring_up::nucleus_main,
);
