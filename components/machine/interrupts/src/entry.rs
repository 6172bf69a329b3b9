//! The code that the hardware enters, and the way from there to a handler.

use core::{
    arch::{asm, naked_asm},
    sync::atomic::Ordering,
};

use handover::VirtualRange;

use x86_64::registers::control::Cr2;

use crate::{
    StackNeed, TrapFrame,
    frame::FLOAT_STATE_SIZE,
    hooks,
    vectors::{self, EXCEPTIONS},
};

/// The type of an entry. It is not a function that can be called.
pub(crate) type Entry = unsafe extern "C" fn();

/// Room that a device's handler finds on the interrupted stack below its frame, or it stays on the
/// interrupt stack.
const DEVICE_ROOM: u64 = 4096;
/// The same for exceptions, which report and unwind.
const EXCEPTION_ROOM: u64 = 3 * 4096;

/// NMI, #DF, #MC: they may hit the entry code of another vector, where the stack pointer says
/// nothing, so they stay on their own stack.
const STAYING: [u8; 3] = [2, 8, 18];

/// #PF.
const PAGE_FAULT: u8 = 14;
/// Of its error code: the page was mapped, but not for such an access (Intel SDM volume 3, section 4.7).
const PAGE_WAS_PRESENT: u64 = 1;

/// Whether the hardware pushes an error code (Intel SDM volume 3, table 6-1, and AMD's #VC, #SX).
const fn has_error_code(vector: u8) -> bool {
    matches!(vector, 8 | 10..=14 | 17 | 21 | 29 | 30)
}

/// The entry of one vector: completes the hardware's frame to seven words.
#[unsafe(naked)]
unsafe extern "C" fn entry<const VECTOR: u8>() {
    naked_asm!(
        ".if {error} == 0",
        "push 0",
        ".endif",
        "push {vector}",
        "jmp {common}",
        error = const has_error_code(VECTOR) as u8,
        vector = const VECTOR,
        common = sym common,
    )
}

/// Saves the registers, lets [`place`] move them to the interrupted stack, goes on there with
/// [`dispatch`], and returns to whatever the frame says then.
///
/// For the unwinder this is a signal frame. At both calls the stack pointer is 512 below the
/// `TrapFrame`, which serves as the CFA; the numbers are DWARF's for the registers in its order.
#[unsafe(naked)]
unsafe extern "C" fn common() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_signal_frame",
        "push rax",
        "push rbx",
        "push rcx",
        "push rdx",
        "push rsi",
        "push rdi",
        "push rbp",
        "push r8",
        "push r9",
        "push r10",
        "push r11",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "lea rdi, [rsp - 16]",
        "sub rsp, 528",
        "fxsave64 [rsp]",
        ".cfi_def_cfa 7, 512",
        ".cfi_offset 15, 16",
        ".cfi_offset 14, 24",
        ".cfi_offset 13, 32",
        ".cfi_offset 12, 40",
        ".cfi_offset 11, 48",
        ".cfi_offset 10, 56",
        ".cfi_offset 9, 64",
        ".cfi_offset 8, 72",
        ".cfi_offset 6, 80",
        ".cfi_offset 5, 88",
        ".cfi_offset 4, 96",
        ".cfi_offset 1, 104",
        ".cfi_offset 2, 112",
        ".cfi_offset 3, 120",
        ".cfi_offset 0, 128",
        ".cfi_offset 16, 152",
        ".cfi_offset 7, 176",
        "cld",
        "call {place}",
        "test rax, rax",
        "jz 2f",
        "mov rsp, rax",
        "lea rdi, [rsp + 512]",
        "call {dispatch}",
        "2:",
        "fxrstor64 [rsp]",
        "add rsp, 528",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop r11",
        "pop r10",
        "pop r9",
        "pop r8",
        "pop rbp",
        "pop rdi",
        "pop rsi",
        "pop rdx",
        "pop rcx",
        "pop rbx",
        "pop rax",
        "add rsp, 16",
        "iretq",
        ".cfi_endproc",
        place = sym place,
        dispatch = sym dispatch,
    )
}

/// Moves what entry saved to the interrupted stack, if that has room. Answers with the address of
/// the saved x87 and SSE state, which the `TrapFrame` follows; or with 0 when nothing is left to be done.
extern "C" fn place(entered: *mut TrapFrame) -> u64 {
    // SAFETY: entry has just saved a frame there, and nothing else knows of it.
    let saved = unsafe { &mut *entered };
    // Before anything else can fault: the next page fault has an address of its own, and it may be one that
    // wants more of the stack for this one's handler.
    saved.fault_address = match saved.vector() {
        PAGE_FAULT => Cr2::read_raw(),
        _ => 0,
    };
    let here = entered.addr() as u64 - FLOAT_STATE_SIZE as u64;
    if STAYING.contains(&saved.vector()) {
        return here;
    }
    if saved.vector() >= EXCEPTIONS {
        begin(saved);
    }
    // The look at the stack may wait for another CPU, and this one be parked meanwhile: then the frame
    // is not yet where whoever searches the task's stack would find it.
    cpu::local()
        .interrupted_at
        .store(saved.rip, Ordering::Relaxed);
    if saved.vector() == PAGE_FAULT && grows(saved) {
        return 0;
    }
    let top = saved.top_below();
    let there = top.wrapping_sub(TrapFrame::SIZE + FLOAT_STATE_SIZE as u64);
    let room = if saved.vector() < EXCEPTIONS {
        EXCEPTION_ROOM
    } else {
        DEVICE_ROOM
    };
    let range = VirtualRange {
        start: there.wrapping_sub(room),
        end: top,
    };
    if !hooks::has_room(range, there) {
        return here;
    }
    const WORDS: usize = (size_of::<TrapFrame>() + FLOAT_STATE_SIZE) / size_of::<u64>();
    // Without a call: the function for it may be what is damaged.
    // SAFETY: the source is what entry saved. The destination is mapped, lies below the interrupted
    // code's red zone, where nothing is in use, and is on another stack than the source: code on
    // an interrupt stack is not interrupted by a vector of the same stack. Entry has cleared the
    // direction flag.
    unsafe {
        asm!(
            "rep movsq",
            inout("rcx") WORDS => _,
            inout("rsi") here => _,
            inout("rdi") there => _,
            options(nostack, preserves_flags),
        );
    }
    there
}

/// Whether a page fault has wanted no more than another page of the stack, which is there now.
fn grows(frame: &TrapFrame) -> bool {
    let need = if frame.interrupts_enabled() {
        StackNeed::Preemptible
    } else {
        StackNeed::Anywhere
    };
    frame.error_code & PAGE_WAS_PRESENT == 0 && hooks::grow(frame.fault_address, need)
}

/// Calls the vector's handler. May be unwound through: then the interrupted task's frames are next.
extern "C-unwind" fn dispatch(frame: &mut TrapFrame) {
    let vector = frame.vector();
    if vector < EXCEPTIONS {
        let handler = vectors::enter(vector);
        return handler.unwrap_or(hooks::exception)(frame);
    }
    let active = Active::new(frame);
    match vectors::enter(vector) {
        Some(handler) => handler(frame),
        None => vectors::count_unhandled(),
    }
    drop(active);
    if frame.interrupts_enabled() && frame.on_interrupted_stack() && cpu::preemption_enabled() {
        hooks::preempt(frame);
    }
}

/// Notes that a device's interrupt is being handled, before anything that could fail: from here on a fault
/// ends this interrupt and no more.
#[inline(always)]
fn begin(frame: &TrapFrame) {
    let local = cpu::local();
    let address = core::ptr::from_ref(frame).addr() as u64;
    local.handler_frame.store(address, Ordering::Relaxed);
    // The handler goes without the CPU's share of the heap.
    let heap = local.heap.load(Ordering::Relaxed);
    local.handler_heap.store(heap, Ordering::Relaxed);
    local.heap.store(0, Ordering::Relaxed);
    local.interrupt_nesting.store(1, Ordering::Relaxed);
    local.handler_faults.store(0, Ordering::Relaxed);
    local.exception_depth.store(0, Ordering::Relaxed);
    // It could not have been interrupted holding one.
    cpu::holds_no_lock();
}

/// The other end of [`begin`]. Twice does no harm.
fn end(vector: u8) {
    hooks::end_of_interrupt(vector);
    let local = cpu::local();
    let heap = local.handler_heap.swap(0, Ordering::Relaxed);
    if heap != 0 {
        local.heap.store(heap, Ordering::Relaxed);
    }
    local.interrupt_nesting.store(0, Ordering::Relaxed);
    local.handler_frame.store(0, Ordering::Relaxed);
}

/// A device's interrupt is being handled. Dropping it ends the interrupt, in a panic too.
struct Active {
    vector: u8,
}

impl Active {
    /// `frame` is where the interrupt goes on from now on.
    fn new(frame: &TrapFrame) -> Self {
        let address = core::ptr::from_ref(frame).addr() as u64;
        cpu::local().handler_frame.store(address, Ordering::Relaxed);
        Self {
            vector: frame.vector(),
        }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        end(self.vector);
    }
}

/// Whether code that was interrupted with this stack pointer handles a device's interrupt, or enters one:
/// then a failure of it ends the interrupt, and what that had interrupted goes on.
#[must_use]
pub fn handles_interrupt(stack_pointer: u64) -> bool {
    let local = cpu::local();
    if local.interrupt_nesting.load(Ordering::Relaxed) > 0 {
        return true;
    }
    // Where the entry saves the registers.
    let saved = local.device_stack().end.saturating_sub(TrapFrame::SIZE);
    let enters = stack_pointer <= saved && local.device_stack().contains(stack_pointer);
    if enters {
        local.handler_frame.store(saved, Ordering::Relaxed);
    }
    enters
}

/// Whether a device's interrupt is being handled whose end has not been told.
#[must_use]
pub fn is_unended() -> bool {
    cpu::local().handler_frame.load(Ordering::Relaxed) != 0
}

/// Ends the handling of the device's interrupt that this CPU is in, without running a drop of its
/// handler, and goes on with what was interrupted. Comes back only if no interrupt is being handled.
pub fn abandon_handler() {
    let local = cpu::local();
    let frame = local.handler_frame.load(Ordering::Relaxed) as *const TrapFrame;
    if frame.is_null() {
        return;
    }
    // SAFETY: the entry's frame stays until the entry returns, which waits for the handler.
    let vector = unsafe { &*frame }.vector();
    end(vector);
    local.exception_depth.store(0, Ordering::Relaxed);
    cpu::holds_no_lock();
    cpu::leave_rendezvous();
    // SAFETY: nothing below the entry's frame is needed any more, and interrupts are off.
    unsafe { leave(frame) }
}

/// What the end of `common` does with the frame at `frame`.
#[unsafe(naked)]
unsafe extern "C" fn leave(frame: *const TrapFrame) -> ! {
    naked_asm!(
        "lea rsp, [rdi - 512]",
        "fxrstor64 [rsp]",
        "add rsp, 528",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop r11",
        "pop r10",
        "pop r9",
        "pop r8",
        "pop rbp",
        "pop rdi",
        "pop rsi",
        "pop rdx",
        "pop rcx",
        "pop rbx",
        "pop rax",
        "add rsp, 16",
        "iretq",
    )
}

/// 16 entries in a row.
macro_rules! entries {
    ($($high:literal)*) => {
        [$(
            entry::<{ $high << 4 }>, entry::<{ $high << 4 | 1 }>,
            entry::<{ $high << 4 | 2 }>, entry::<{ $high << 4 | 3 }>,
            entry::<{ $high << 4 | 4 }>, entry::<{ $high << 4 | 5 }>,
            entry::<{ $high << 4 | 6 }>, entry::<{ $high << 4 | 7 }>,
            entry::<{ $high << 4 | 8 }>, entry::<{ $high << 4 | 9 }>,
            entry::<{ $high << 4 | 10 }>, entry::<{ $high << 4 | 11 }>,
            entry::<{ $high << 4 | 12 }>, entry::<{ $high << 4 | 13 }>,
            entry::<{ $high << 4 | 14 }>, entry::<{ $high << 4 | 15 }>,
        )*]
    };
}

/// The entries of all vectors.
pub(crate) static ENTRIES: [Entry; 256] = entries!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
