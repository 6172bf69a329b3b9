//! What entry saves.

use handover::layout::PAGE_SIZE;

use crate::{StackNeed, hooks};

/// A handler of a vector. It runs with interrupts off.
pub type TrapHandler = fn(&mut TrapFrame);

/// Size of the area that keeps the x87 and SSE state below a [`TrapFrame`].
pub(crate) const FLOAT_STATE_SIZE: usize = 512;
/// What compiled code may use below its stack pointer.
pub(crate) const RED_ZONE: u64 = 128;

/// The interrupted code's registers; the x87 and SSE state lies in the 512 bytes below.
///
/// Whoever changes a field changes the register with which the interrupted code goes on.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are named after the registers")]
pub struct TrapFrame {
    /// Of a page fault, the address that was accessed (CR2); 0 of any other vector.
    pub fault_address: u64,
    /// Keeps the size a multiple of 16; nobody writes it.
    unused: u64,
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub rbp: u64,
    pub rdi: u64,
    pub rsi: u64,
    pub rdx: u64,
    pub rcx: u64,
    pub rbx: u64,
    pub rax: u64,
    /// Which vector brought us here.
    pub vector: u64,
    /// The exception's error code; 0 when it has none.
    pub error_code: u64,
    pub rip: u64,
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
}

/// Sees to it that the stack is mapped from `start` to `end`, which are less than a page apart; whether it
/// is.
pub(crate) fn map(start: u64, end: u64, need: StackNeed) -> bool {
    let last = end.wrapping_sub(1);
    hooks::grow(start, need) && (start / PAGE_SIZE == last / PAGE_SIZE || hooks::grow(last, need))
}

/// RFLAGS: interrupts enabled.
const INTERRUPTS: u64 = 1 << 9;
/// RFLAGS: direction, trap and alignment-check flags, which no function expects to be set.
const UNUSUAL_FLAGS: u64 = 1 << 10 | 1 << 8 | 1 << 18;

impl TrapFrame {
    /// Size in bytes.
    pub const SIZE: u64 = size_of::<Self>() as u64;

    /// The vector, as the number it is.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "entry stores a number below 256"
    )]
    pub const fn vector(&self) -> u8 {
        self.vector as u8
    }

    /// Whether the interrupted code had interrupts enabled.
    #[must_use]
    pub const fn interrupts_enabled(&self) -> bool {
        self.rflags & INTERRUPTS != 0
    }

    /// Whether the handler runs on the interrupted stack. If not, it runs on an interrupt stack of
    /// the CPU: it must not enable interrupts, block or switch tasks there, and what has to be done
    /// on the task's stack goes through [`TrapFrame::divert`].
    #[must_use]
    pub fn on_interrupted_stack(&self) -> bool {
        core::ptr::from_ref(self).addr() as u64 + Self::SIZE == self.top_below()
    }

    /// The highest address on the interrupted stack that interrupt entry may use.
    pub(crate) const fn top_below(&self) -> u64 {
        self.rsp.wrapping_sub(RED_ZONE) & !15
    }

    /// Makes the end of this interrupt go not to the interrupted code but to `target`, on the
    /// interrupted stack, with a copy of this frame (which lies there, too) as its argument and
    /// with interrupts as the interrupted code had them.
    ///
    /// # Safety
    ///
    /// The interrupted stack must be mapped for at least what `target` needs below its stack
    /// pointer (less 128 bytes), and the interrupted code must be one that may be left for good, or
    /// `target` must go on with it itself.
    pub unsafe fn divert(&mut self, target: unsafe extern "C-unwind" fn(*mut TrapFrame) -> !) {
        let copy = (self.top_below() - Self::SIZE) as *mut Self;
        // This may run on the stack of page faults, where another one would do damage. If there is no
        // memory, it is tried nevertheless: there is nothing else to be done.
        map(
            copy.addr() as u64 - 2 * Self::SIZE,
            self.top_below(),
            StackNeed::Ending,
        );
        if !core::ptr::eq(copy, self) {
            // SAFETY: the caller promises that the stack is mapped there; all below its pointer and
            // the red zone is free, and `top_below` is aligned to 16.
            unsafe { copy.write(*self) };
        }
        // When this frame is itself on the interrupted stack, `iretq` reads it before `target` can
        // overwrite it, but `target` is to see the original: it gets a second copy further down.
        let argument = if core::ptr::eq(copy, self) {
            copy.wrapping_sub(1)
        } else {
            copy
        };
        if !core::ptr::eq(argument, copy) {
            // SAFETY: as above. This overwrites the saved x87 and SSE state, which `target` does
            // not need: it never returns to code that owns it.
            unsafe { argument.write(*self) };
        }
        self.rip = target as usize as u64;
        self.rdi = argument.addr() as u64;
        // As after a call: 8 below a multiple of 16. Frames are multiples of 16 long.
        self.rsp = (argument.addr() as u64) - 8;
        self.rflags &= !UNUSUAL_FLAGS;
    }
}
