//! CPU exceptions until the components' own tables are live: said on the serial port, then the end.
//!
//! Without it a fault in the nucleus or in the first components would be a triple fault, which resets
//! the machine without a word.

use crate::{
    exit::{self, Status},
    say,
};
use core::arch::{asm, global_asm};
use spin::Once;

/// Vectors that the CPU itself raises.
const VECTORS: usize = 32;
/// Selector of the nucleus's code segment.
const CODE_SELECTOR: u16 = 0x08;
/// A present 64-bit interrupt gate of privilege level 0.
const INTERRUPT_GATE: u16 = 0x8E00;

/// What the entry code leaves on the stack.
#[repr(C)]
struct Frame {
    vector: u64,
    error_code: u64,
    instruction: u64,
    code_segment: u64,
    flags: u64,
    stack: u64,
}

/// An interrupt gate (Intel manual, volume 3, figure 6-8).
#[repr(C)]
#[derive(Clone, Copy)]
struct Gate {
    offset_low: u16,
    selector: u16,
    options: u16,
    offset_middle: u16,
    offset_high: u32,
    reserved: u32,
}

/// Operand of `lidt`.
#[repr(C, packed)]
struct TableRegister {
    limit: u16,
    base: u64,
}

static TABLE: Once<[Gate; VECTORS]> = Once::new();

// One entry of 16 bytes a vector. Vectors 8, 10–14, 17, 21, 29 and 30 push an error code; the others
// get a 0, so that all frames look alike.
global_asm!(
    ".pushsection .text.nucleus_exceptions, \"ax\", @progbits",
    ".balign 16",
    "nucleus_exception_entries:",
    ".set vector, 0",
    ".rept 32",
    ".balign 16",
    ".if (0x60227d00 >> vector) & 1",
    ".else",
    "push 0",
    ".endif",
    ".byte 0x6a, vector", // push imm8; the assembler would take `push vector` for a load
    "jmp 2f",
    ".set vector, vector + 1",
    ".endr",
    "2:",
    "cld",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {report}",
    "ud2",
    ".popsection",
    report = sym report,
);

unsafe extern "C" {
    /// The entry of vector 0; 16 bytes each.
    static nucleus_exception_entries: [u8; 16];
}

/// Loads the table.
pub(crate) fn install() {
    let table = TABLE.call_once(gates);
    #[expect(clippy::cast_possible_truncation, reason = "512 bytes")]
    let limit = (size_of::<[Gate; VECTORS]>() - 1) as u16;
    let register = TableRegister { limit, base: table.as_ptr() as u64 };
    // SAFETY: the table is static and its gates lead to code that never returns.
    unsafe { asm!("lidt [{}]", in(reg) &raw const register, options(readonly, nostack)) };
}

fn gates() -> [Gate; VECTORS] {
    let first = (&raw const nucleus_exception_entries) as u64;
    core::array::from_fn(|vector| gate(first + 16 * vector as u64))
}

#[expect(clippy::cast_possible_truncation, reason = "the offset is cut in three on purpose")]
const fn gate(offset: u64) -> Gate {
    Gate {
        offset_low: offset as u16,
        selector: CODE_SELECTOR,
        options: INTERRUPT_GATE,
        offset_middle: (offset >> 16) as u16,
        offset_high: (offset >> 32) as u32,
        reserved: 0,
    }
}

extern "C" fn report(frame: &Frame) -> ! {
    let address: u64;
    // SAFETY: reading the register changes nothing.
    unsafe { asm!("mov {}, cr2", out(reg) address, options(nomem, nostack)) };
    say::line(format_args!(
        "\nstrake: CPU exception {} (error code {:#x}) at {:#x} during boot\n  \
         cr2 {address:#x}  rsp {:#x}  cs {:#x}  rflags {:#x}",
        frame.vector,
        frame.error_code,
        frame.instruction,
        frame.stack,
        frame.code_segment,
        frame.flags
    ));
    exit::exit(Status::Exception);
}
