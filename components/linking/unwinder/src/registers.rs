//! A frame's registers, by their DWARF numbers, and the code that takes and restores them.

use core::arch::naked_asm;
use interrupts::TrapFrame;

/// Registers in DWARF's numbering for x86-64: 16 general ones and the return address.
pub(crate) const COUNT: usize = 17;

const RBX: usize = 3;
const RBP: usize = 6;
pub(crate) const RSP: usize = 7;
pub(crate) const RIP: usize = 16;

/// The registers of a frame.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct Registers {
    values: [u64; COUNT],
}

impl Registers {
    /// The register with this DWARF number; `None` for one that unwinding does not restore.
    pub(crate) fn get(&self, number: u16) -> Option<u64> {
        self.values.get(usize::from(number)).copied()
    }

    pub(crate) fn set(&mut self, number: u16, value: u64) -> Option<()> {
        *self.values.get_mut(usize::from(number))? = value;
        Some(())
    }

    pub(crate) const fn instruction(&self) -> u64 {
        self.values[RIP]
    }

    pub(crate) const fn stack_pointer(&self) -> u64 {
        self.values[RSP]
    }

    pub(crate) const fn set_instruction(&mut self, address: u64) {
        self.values[RIP] = address;
    }

    pub(crate) const fn set_stack_pointer(&mut self, address: u64) {
        self.values[RSP] = address;
    }

    /// What a landing pad is given: the exception and, as selector, 0 for a cleanup.
    pub(crate) const fn set_exception(&mut self, exception: u64) {
        self.values[0] = exception;
        self.values[1] = 0;
    }

    /// The registers of interrupted code.
    pub(crate) const fn of_interrupted(frame: &TrapFrame) -> Self {
        Self {
            values: [
                frame.rax, frame.rdx, frame.rcx, frame.rbx, frame.rsi, frame.rdi, frame.rbp,
                frame.rsp, frame.r8, frame.r9, frame.r10, frame.r11, frame.r12, frame.r13,
                frame.r14, frame.r15, frame.rip,
            ],
        }
    }

    /// The registers of a task that does not run, from what its last switch left on its stack:
    /// rbx, rbp and the return address. The others that a call preserves are where the function has saved
    /// them that the switch is compiled into.
    pub(crate) const fn of_parked(saved: [u64; 3], stack_pointer: u64) -> Self {
        let [rbx, rbp, rip] = saved;
        let mut values = [0; COUNT];
        values[RBX] = rbx;
        values[RBP] = rbp;
        values[RSP] = stack_pointer;
        values[RIP] = rip;
        Self { values }
    }
}

/// Calls `function` with the registers that the caller has when this call returns (of those that a
/// call preserves) and `data`.
#[unsafe(naked)]
pub(crate) extern "C-unwind" fn with_registers(
    data: *mut u8,
    function: extern "C-unwind" fn(&mut Registers, *mut u8),
) {
    naked_asm!(
        ".cfi_startproc",
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
        "mov rdx, rsi",
        "mov rsi, rdi",
        "mov rdi, rsp",
        "call rdx",
        "add rsp, 136",
        ".cfi_adjust_cfa_offset -136",
        "ret",
        ".cfi_endproc",
    )
}

/// Goes on with `registers`.
///
/// # Safety
///
/// They must be those of a frame of the current stack at a point where it can go on, and nothing
/// below that frame may be needed any more.
#[unsafe(naked)]
pub(crate) unsafe extern "C-unwind" fn restore(registers: &Registers) -> ! {
    naked_asm!(
        "mov rax, [rdi]",
        "mov rdx, [rdi + 8]",
        "mov rbx, [rdi + 24]",
        "mov rbp, [rdi + 48]",
        "mov r12, [rdi + 96]",
        "mov r13, [rdi + 104]",
        "mov r14, [rdi + 112]",
        "mov r15, [rdi + 120]",
        "mov rcx, [rdi + 128]",
        "mov rsp, [rdi + 56]",
        "jmp rcx",
    )
}

/// Calls `function` with `data` and answers 0; answers 1 when somebody goes on with what it has
/// stored in `landing` before the call.
#[unsafe(naked)]
pub(crate) unsafe extern "C-unwind" fn call_with_landing(
    data: *mut u8,
    function: extern "C-unwind" fn(*mut u8),
    landing: *mut Registers,
) -> u64 {
    naked_asm!(
        ".cfi_startproc",
        "sub rsp, 8",
        ".cfi_adjust_cfa_offset 8",
        "mov qword ptr [rdx], 1",
        "mov [rdx + 24], rbx",
        "mov [rdx + 48], rbp",
        "mov [rdx + 56], rsp",
        "mov [rdx + 96], r12",
        "mov [rdx + 104], r13",
        "mov [rdx + 112], r14",
        "mov [rdx + 120], r15",
        "lea rax, [rip + 2f]",
        "mov [rdx + 128], rax",
        "call rsi",
        "xor eax, eax",
        "2:",
        "add rsp, 8",
        ".cfi_adjust_cfa_offset -8",
        "ret",
        ".cfi_endproc",
    )
}
