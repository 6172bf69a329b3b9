//! The frame on which a CPU begins: its first instructions, and what they need.

use core::{arch::naked_asm, mem::offset_of, sync::atomic::AtomicU32};

use handover::{PhysicalRange, layout::PAGE_SIZE};
use mappings::{Mapping, Protection};
use x86_64::registers::{
    control::{Cr0, Cr3, Cr4, Cr4Flags},
    model_specific::{Efer, EferFlags},
};

use crate::SmpError;

/// Offset of [`Parameters`] in the frame, behind the code.
const PARAMETERS: usize = 0xE00;
/// Offset of the 64-bit code in the frame.
const LONG_MODE: u32 = 16;
/// Selectors in the frame's descriptor table.
const CODE: u16 = 8;
const DATA: u16 = 16;
/// Descriptors of flat 64-bit code and data, accessed (Intel SDM volume 3, section 3.4.5).
const CODE_DESCRIPTOR: u64 = 0x00AF_9B00_0000_FFFF;
const DATA_DESCRIPTOR: u64 = 0x00CF_9300_0000_FFFF;

/// [`Parameters::claim`]: nobody has begun; a CPU has; it must not any more.
pub(crate) const FREE: u32 = 0;
pub(crate) const CLAIMED: u32 = 1;
pub(crate) const ABANDONED: u32 = 2;

/// What the code in the frame reads.
#[repr(C, align(8))]
struct Parameters {
    /// Taken by the CPU that begins, so that a late one does not.
    claim: AtomicU32,
    root_table: u32,
    descriptors_limit: u16,
    descriptors_low: u16,
    descriptors_high: u16,
    padding: u16,
    long_mode: u32,
    long_mode_selector: u16,
    padding_2: u16,
    cr4: u32,
    efer: u32,
    cr0: u32,
    padding_3: u32,
    stack: u64,
    entry: u64,
    argument: u64,
    descriptors: [u64; 3],
}

/// Where the CPU goes on: on a stack of its own, interrupts off, without a GS block.
pub(crate) struct Destination {
    /// End of its stack, a multiple of 16.
    pub(crate) stack_end: u64,
    /// The function.
    pub(crate) entry: extern "C" fn(u64) -> !,
    /// Its argument.
    pub(crate) argument: u64,
}

/// The frame, mapped at its physical address, executable and not writable.
pub(crate) struct Trampoline {
    frame: PhysicalRange,
    /// Executable, at its own address; held for as long as a CPU may begin.
    _code: Mapping,
    /// A writable, not executable view of the same frame, for the next CPU's parameters.
    parameters: Mapping,
}

impl Trampoline {
    /// Fills the frame.
    pub(crate) fn new() -> Result<Self, SmpError> {
        let frame = frames::trampoline().ok_or(SmpError::NoTrampoline)?;
        // SAFETY: the frame is nobody's, by the word of `frames`, and what is written is what it is
        // for.
        let mut code = unsafe { Mapping::identity(frame, Protection::ReadWrite) }?;
        let image = image();
        for (place, byte) in code.as_mut_slice()?.iter_mut().zip(image) {
            *place = *byte;
        }
        code.protect(Protection::ReadExecute)?;
        // SAFETY: the code stays mapped as long as this value; what is written through the alias are
        // parameters, which nobody reads before a CPU is told to begin.
        let parameters = unsafe { Mapping::alias(code.range(), Protection::ReadWrite) }?;
        Ok(Self {
            frame,
            _code: code,
            parameters,
        })
    }

    /// The page's number, as the start-up message names it.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the frame lies below 1 MiB"
    )]
    pub(crate) const fn page(&self) -> u8 {
        (self.frame.start / PAGE_SIZE) as u8
    }

    /// Tells the next CPU where to go on.
    pub(crate) fn aim(&mut self, destination: &Destination) -> Result<(), SmpError> {
        let root = Cr3::read().0.start_address().as_u64();
        let root_table = u32::try_from(root).map_err(|_| SmpError::TablesTooHigh { root })?;
        let parameters = self.parameters(root_table, destination);
        // SAFETY: the writable view is mapped, `PARAMETERS` is aligned and the value ends before the
        // page does; no CPU uses the frame now.
        unsafe { self.place().write(parameters) };
        Ok(())
    }

    /// Whether a CPU has begun. The word is shared with it, so it is only used atomically.
    pub(crate) fn claim(&self) -> &AtomicU32 {
        // SAFETY: as in `aim`, which has initialised the value; the borrow keeps the view mapped.
        unsafe { &(*self.place()).claim }
    }

    fn place(&self) -> *mut Parameters {
        (self.parameters.start() + PARAMETERS as u64) as *mut Parameters
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the frame lies below 1 MiB, and control registers have no bits above the lower half"
    )]
    fn parameters(&self, root_table: u32, destination: &Destination) -> Parameters {
        let base = self.frame.start as u32;
        let descriptors = base + (PARAMETERS + offset_of!(Parameters, descriptors)) as u32;
        // Long mode is on as soon as paging is; the flag that says so cannot be written. Process-context
        // identifiers can only be turned on later, and nothing here uses them.
        let efer = Efer::read() - EferFlags::LONG_MODE_ACTIVE;
        let cr4 = Cr4::read() - Cr4Flags::PCID;
        Parameters {
            claim: AtomicU32::new(FREE),
            root_table,
            descriptors_limit: (size_of::<[u64; 3]>() - 1) as u16,
            descriptors_low: descriptors as u16,
            descriptors_high: (descriptors >> 16) as u16,
            padding: 0,
            long_mode: base + LONG_MODE,
            long_mode_selector: CODE,
            padding_2: 0,
            cr4: cr4.bits() as u32,
            efer: efer.bits() as u32,
            cr0: Cr0::read_raw() as u32,
            padding_3: 0,
            stack: destination.stack_end,
            entry: destination.entry as usize as u64,
            argument: destination.argument,
            descriptors: [0, CODE_DESCRIPTOR, DATA_DESCRIPTOR],
        }
    }
}

/// The code to be copied to the frame.
fn image() -> &'static [u8] {
    let Bounds { start, end } = bounds();
    let length = end.addr() - start.addr();
    // SAFETY: both lie in this component's rodata, which is mapped as long as its code, around the
    // bytes that `bounds` puts there.
    unsafe { core::slice::from_raw_parts(start, length) }
}

#[repr(C)]
struct Bounds {
    start: *const u8,
    end: *const u8,
}

/// Where the code to be copied lies.
///
/// It begins in real mode with CS at the frame and IP 0. Everything that it needs it finds by its
/// segment or by the frame's address, since the assembler knows neither. It goes from real mode into
/// 64-bit mode in one step (Intel SDM volume 3, section 9.8.5): paging and protection at once, with
/// long mode already enabled.
#[unsafe(naked)]
extern "C" fn bounds() -> Bounds {
    naked_asm!(
        "leaq 20f(%rip), %rax",
        "leaq 50f(%rip), %rdx",
        "retq",
        ".pushsection .rodata.trampoline, \"a\", @progbits",
        ".p2align 4",
        "20:",
        ".code16",
        "jmp 30f",
        ".p2align 4",
        // At `LONG_MODE`. EBX is the frame's address.
        ".code64",
        "movl %ebx, %ebx",
        "movw ${data}, %ax",
        "movw %ax, %ds",
        "movw %ax, %es",
        "movw %ax, %ss",
        "movq {stack}(%rbx), %rsp",
        "movq {argument}(%rbx), %rdi",
        "movq {entry}(%rbx), %rax",
        "xorl %ebp, %ebp",
        "callq *%rax",
        "ud2",
        ".code16",
        "30:",
        "cli",
        "cld",
        "movw %cs, %ax",
        "movw %ax, %ds",
        "xorl %ebx, %ebx",
        "movw %ax, %bx",
        "shll $4, %ebx",
        "xorl %eax, %eax",
        "movl ${claimed}, %ecx",
        "lock cmpxchgl %ecx, ({claim})",
        "jne 40f",
        "lgdtl ({gdt})",
        "movl ({cr4}), %eax",
        "movl %eax, %cr4",
        "movl ({root}), %eax",
        "movl %eax, %cr3",
        "movl ${efer_register}, %ecx",
        "movl ({efer}), %eax",
        "xorl %edx, %edx",
        "wrmsr",
        "movl ({cr0}), %eax",
        "movl %eax, %cr0",
        "ljmpl *({long_mode})",
        "40:",
        "hlt",
        "jmp 40b",
        ".code64",
        "50:",
        ".popsection",
        data = const DATA,
        claimed = const CLAIMED,
        efer_register = const 0xC000_0080_u32,
        claim = const PARAMETERS + offset_of!(Parameters, claim),
        root = const PARAMETERS + offset_of!(Parameters, root_table),
        gdt = const PARAMETERS + offset_of!(Parameters, descriptors_limit),
        long_mode = const PARAMETERS + offset_of!(Parameters, long_mode),
        cr4 = const PARAMETERS + offset_of!(Parameters, cr4),
        efer = const PARAMETERS + offset_of!(Parameters, efer),
        cr0 = const PARAMETERS + offset_of!(Parameters, cr0),
        stack = const PARAMETERS + offset_of!(Parameters, stack),
        entry = const PARAMETERS + offset_of!(Parameters, entry),
        argument = const PARAMETERS + offset_of!(Parameters, argument),
        options(att_syntax),
    )
}
