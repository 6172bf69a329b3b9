//! The per-CPU block behind the GS base.

use core::{
    arch::asm,
    fmt,
    mem::offset_of,
    sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering},
};

use handover::VirtualRange;

use crate::IST_SIZE;

/// The most CPUs that the system uses, so that a word has a bit for each; a further one stays parked.
pub const MAX_CPUS: usize = 64;

/// Which CPU: 0 is the one that booted; the others are numbered as they are started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CpuId(pub u32);

impl CpuId {
    /// The CPU as an index below [`MAX_CPUS`].
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The CPU's bit in a word that has one for each CPU.
    #[must_use]
    pub const fn bit(self) -> u64 {
        1 << (self.0 % u64::BITS)
    }
}

impl fmt::Display for CpuId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cpu{}", self.0)
    }
}

/// What each CPU has of its own.
///
/// A reference stays valid for ever, but a task that may be preempted may read it on another CPU
/// than the one it describes; who needs the current CPU's block holds a
/// [`PreemptionGuard`](crate::PreemptionGuard) or has interrupts off. For one word of it there are
/// functions that read by a single instruction, which cannot be torn apart from its CPU.
#[repr(C)]
#[derive(Debug)]
pub struct Local {
    /// Address of this block, read through GS.
    this: AtomicPtr<Local>,
    /// While not 0, the running task is not preempted.
    preemption_disabled: AtomicU32,
    /// 1 while a device's interrupt is being handled, else 0.
    pub interrupt_nesting: AtomicU32,
    /// The CPU.
    id: AtomicU32,
    /// Set by whoever wants the next chance of preemption to be taken.
    pub reschedule: AtomicBool,
    /// The running task, as a number that only `task` understands; 0 before there are tasks.
    pub current_task: AtomicUsize,
    /// What the running task has been asked for, in a way that only `task` understands; not 0 makes it look
    /// at its next safe point.
    pub task_requests: AtomicU32,
    /// The task that the CPU is switching away from, as such a number; 0 when it is not.
    pub leaving_task: AtomicUsize,
    /// Time stamp of the last switch between tasks, or of the last time that the running one was
    /// accounted for.
    pub switched_at: AtomicU64,
    /// Whether the CPU is inside the scheduling policy.
    pub inside_policy: AtomicBool,
    /// Address of the CPU's share of the heap, which only `heap` understands; 0 before it has one
    /// and while an interrupt handler is active, which must not use what it may have interrupted.
    pub heap: AtomicUsize,
    /// The number of the CPU's interrupt controller.
    apic_id: AtomicU32,
    /// What other CPUs want of this one; see `requests`.
    pub(crate) requests: AtomicU32,
    /// The last flush of translations that this CPU has made.
    pub(crate) flushed: AtomicU64,
    /// The last rendezvous in which this CPU has parked.
    pub(crate) parked: AtomicU64,
    /// Its stack pointer there.
    pub(crate) parked_stack_pointer: AtomicU64,
    /// The instruction that the last interrupt or exception of this CPU hit.
    pub interrupted_at: AtomicU64,
    /// The name under which this CPU takes locks: its number in the low byte, above it a count that
    /// changes whenever the CPU can hold none.
    pub(crate) lock_token: AtomicU32,
    /// How many exceptions are being handled, one within the other.
    pub exception_depth: AtomicU32,
    /// The frame of the device's interrupt that is being handled; 0 when there is none.
    pub handler_frame: AtomicU64,
    /// What `heap` was when that began; 0 when there is none.
    pub handler_heap: AtomicUsize,
    /// Whether the CPU goes without its share of the heap while an exception is unwound, so that others may
    /// look into that.
    pub heap_left: AtomicBool,
    /// Faults in the handling of that interrupt.
    pub handler_faults: AtomicU32,
    /// The end of the stack on which devices' interrupts are entered.
    device_stack_end: AtomicU64,
}

/// Offset of `preemption_disabled`, for single instructions through GS.
pub(crate) const PREEMPTION_OFFSET: usize = offset_of!(Local, preemption_disabled);
/// The part of a lock token that is the CPU's number.
pub(crate) const LOCK_CPU: u32 = 0xFF;
/// What changes a lock token.
const LOCK_ROUND: u32 = 0x100;
/// Offset of `heap`.
const HEAP_OFFSET: usize = offset_of!(Local, heap);

/// The blocks of the CPUs that have one, by number.
#[used]
static BLOCKS: [AtomicPtr<Local>; MAX_CPUS] =
    [const { AtomicPtr::new(core::ptr::null_mut()) }; MAX_CPUS];

impl Local {
    pub(crate) const fn new() -> Self {
        Self {
            this: AtomicPtr::new(core::ptr::null_mut()),
            preemption_disabled: AtomicU32::new(0),
            interrupt_nesting: AtomicU32::new(0),
            id: AtomicU32::new(0),
            reschedule: AtomicBool::new(false),
            current_task: AtomicUsize::new(0),
            task_requests: AtomicU32::new(0),
            leaving_task: AtomicUsize::new(0),
            switched_at: AtomicU64::new(0),
            inside_policy: AtomicBool::new(false),
            heap: AtomicUsize::new(0),
            apic_id: AtomicU32::new(0),
            requests: AtomicU32::new(0),
            flushed: AtomicU64::new(0),
            parked: AtomicU64::new(0),
            parked_stack_pointer: AtomicU64::new(0),
            interrupted_at: AtomicU64::new(0),
            lock_token: AtomicU32::new(0),
            exception_depth: AtomicU32::new(0),
            handler_frame: AtomicU64::new(0),
            handler_heap: AtomicUsize::new(0),
            heap_left: AtomicBool::new(false),
            handler_faults: AtomicU32::new(0),
            device_stack_end: AtomicU64::new(0),
        }
    }

    /// Fills in who this is, before the CPU uses it.
    pub(crate) fn identify(&'static self, id: CpuId, device_stack_end: u64) {
        self.id.store(id.0, Ordering::Relaxed);
        self.device_stack_end
            .store(device_stack_end, Ordering::Relaxed);
        self.lock_token.store(id.0 & LOCK_CPU, Ordering::Relaxed);
        let this = core::ptr::from_ref(self).cast_mut();
        self.this.store(this, Ordering::Release);
        if let Some(block) = BLOCKS.get(id.index()) {
            block.store(this, Ordering::Release);
        }
    }

    /// The CPU that the block belongs to.
    #[must_use]
    #[inline]
    pub fn id(&self) -> CpuId {
        CpuId(self.id.load(Ordering::Relaxed))
    }

    /// The number of the CPU's interrupt controller.
    #[must_use]
    pub fn apic_id(&self) -> u32 {
        self.apic_id.load(Ordering::Relaxed)
    }

    /// The stack on which the CPU enters devices' interrupts: where it begins and ends.
    #[must_use]
    pub fn device_stack(&self) -> VirtualRange {
        let end = self.device_stack_end.load(Ordering::Relaxed);
        VirtualRange {
            start: end.saturating_sub(IST_SIZE as u64),
            end,
        }
    }

    /// Notes the number of the CPU's interrupt controller.
    pub fn set_apic_id(&self, apic_id: u32) {
        self.apic_id.store(apic_id, Ordering::Relaxed);
    }
}

/// The block of the CPU that runs this.
#[must_use]
#[inline]
pub fn local() -> &'static Local {
    let block: *const Local;
    // SAFETY: this component's start hook runs before any other code here and points GS to a block
    // whose first word is its own address; the load changes nothing.
    unsafe {
        asm!("mov {}, gs:[0]", out(reg) block, options(nostack, preserves_flags, readonly));
    }
    // SAFETY: the word is the address of a block that lives as long as the system, and all its
    // fields are atomic.
    unsafe { &*block }
}

/// [`Local::heap`] of the CPU that runs this, in one instruction.
#[must_use]
#[inline]
pub fn heap_word() -> usize {
    let word;
    // SAFETY: GS points to this CPU's block, and the offset is that of a word in it.
    unsafe {
        asm!("mov {}, gs:[{}]", out(reg) word, const HEAP_OFFSET,
            options(nostack, preserves_flags, readonly));
    }
    word
}

/// The block of `cpu`, if that has one.
#[must_use]
pub fn local_of(cpu: CpuId) -> Option<&'static Local> {
    let block = BLOCKS.get(cpu.index())?.load(Ordering::Acquire);
    // SAFETY: the word is null or the address of a block that lives as long as the system, and all
    // its fields are atomic.
    unsafe { block.as_ref() }
}

/// Reads a 32-bit field of this CPU's block by one instruction.
macro_rules! own_u32 {
    ($field:ident) => {{
        let value: u32;
        // SAFETY: GS points to this CPU's block, and the offset is that of a 32-bit field in it.
        unsafe {
            asm!(
                "mov {0:e}, gs:[{1}]",
                out(reg) value,
                const offset_of!(Local, $field),
                options(nostack, preserves_flags, readonly),
            );
        }
        value
    }};
}

/// The name under which the CPU that runs this takes locks.
#[inline]
pub(crate) fn lock_token() -> u32 {
    own_u32!(lock_token)
}

/// Says that this CPU holds no [`IrqMutex`](crate::IrqMutex), so that whatever still carries its name
/// has been abandoned and may be taken over: when an interrupt of a device arrives (it could not, were
/// a lock held), and when an unwinding has arrived where none was held.
#[inline]
pub fn holds_no_lock() {
    // SAFETY: GS points to this CPU's block, and the offset is that of a 32-bit word in it.
    unsafe {
        asm!(
            "add dword ptr gs:[{}], {}",
            const offset_of!(Local, lock_token),
            const LOCK_ROUND,
            options(nostack),
        );
    }
}

/// The CPU that runs this.
#[inline]
#[must_use]
pub fn current_cpu() -> CpuId {
    CpuId(own_u32!(id))
}

/// 1 while this CPU handles a device's interrupt, else 0.
#[inline]
#[must_use]
pub fn interrupt_nesting() -> u32 {
    own_u32!(interrupt_nesting)
}

/// How many guards keep the running task from being preempted.
#[inline]
#[must_use]
pub fn preemption_depth() -> u32 {
    own_u32!(preemption_disabled)
}

/// Whether no guard keeps the running task from being preempted, and no interrupt handler is active.
#[inline]
pub(crate) fn nothing_forbids_preemption() -> bool {
    const {
        assert!(offset_of!(Local, interrupt_nesting) == PREEMPTION_OFFSET + 4);
    }
    let both: u64;
    // SAFETY: GS points to this CPU's block, and the offset is that of two 32-bit counters in it, one
    // after the other.
    unsafe {
        asm!(
            "mov {0}, gs:[{1}]",
            out(reg) both,
            const PREEMPTION_OFFSET,
            options(nostack, preserves_flags, readonly),
        );
    }
    both == 0
}

/// Whether [`Local::task_requests`] of this CPU is not 0, in one instruction and a branch.
#[inline(always)]
#[must_use]
pub fn has_task_requests() -> bool {
    // SAFETY: GS points to this CPU's block, and the offset is that of a 32-bit word in it.
    unsafe {
        asm!(
            "cmp dword ptr gs:[{0}], 0",
            "jne {1}",
            const offset_of!(Local, task_requests),
            label { return true },
            options(nostack, readonly),
        );
    }
    false
}

/// Sets [`Local::task_requests`] of this CPU.
#[inline]
pub fn set_task_requests(requests: u32) {
    // SAFETY: GS points to this CPU's block, and the offset is that of a 32-bit word in it.
    unsafe {
        asm!(
            "mov gs:[{0}], {1:e}",
            const offset_of!(Local, task_requests),
            in(reg) requests,
            options(nostack, preserves_flags),
        );
    }
}

/// Sets how many guards keep the running task from being preempted: for whoever gives the CPU to
/// another task, or skips the drops of guards.
pub fn set_preemption_depth(depth: u32) {
    // SAFETY: GS points to this CPU's block, and the offset is that of a 32-bit counter in it.
    unsafe {
        asm!(
            "mov gs:[{0}], {1:e}",
            const PREEMPTION_OFFSET,
            in(reg) depth,
            options(nostack, preserves_flags),
        );
    }
}

/// Defines a function that reads a word of this CPU's block, and one that sets it.
macro_rules! own_word {
    ($read:ident, $set:ident, $type:ty, $name:literal) => {
        #[doc = concat!($name, " of this CPU.")]
        #[inline]
        #[must_use]
        pub fn $read() -> $type {
            let value: $type;
            // SAFETY: GS points to this CPU's block, and the offset is that of a word in it.
            unsafe {
                asm!(
                    "mov {0}, gs:[{1}]",
                    out(reg) value,
                    const offset_of!(Local, $read),
                    options(nostack, preserves_flags, readonly),
                );
            }
            value
        }

        #[doc = concat!("Sets ", $name, " of this CPU.")]
        #[inline]
        pub fn $set(value: $type) {
            // SAFETY: GS points to this CPU's block, and the offset is that of a word in it, whose
            // meaning is its owner's affair.
            unsafe {
                asm!(
                    "mov gs:[{0}], {1}",
                    const offset_of!(Local, $read),
                    in(reg) value,
                    options(nostack, preserves_flags),
                );
            }
        }
    };
}

own_word!(
    current_task,
    set_current_task,
    usize,
    "`Local::current_task`"
);
own_word!(
    leaving_task,
    set_leaving_task,
    usize,
    "`Local::leaving_task`"
);
own_word!(switched_at, set_switched_at, u64, "`Local::switched_at`");

/// Sets `Local::leaving_task` of this CPU to 0.
#[inline]
pub fn clear_leaving_task() {
    // SAFETY: GS points to this CPU's block, and the offset is that of a word in it, which may be 0.
    unsafe {
        asm!(
            "mov qword ptr gs:[{0}], 0",
            const offset_of!(Local, leaving_task),
            options(nostack, preserves_flags),
        );
    }
}

/// Says that this CPU is inside the scheduling policy.
#[inline]
pub fn enter_policy() {
    // SAFETY: GS points to this CPU's block, and the offset is that of a flag in it.
    unsafe {
        asm!(
            "mov byte ptr gs:[{0}], 1",
            const offset_of!(Local, inside_policy),
            options(nostack, preserves_flags),
        );
    }
}

/// Says that it is not.
#[inline]
pub fn leave_policy() {
    // SAFETY: as in `enter_policy`.
    unsafe {
        asm!(
            "mov byte ptr gs:[{0}], 0",
            const offset_of!(Local, inside_policy),
            options(nostack, preserves_flags),
        );
    }
}

/// Clears `Local::reschedule` of this CPU: its request is about to be met.
#[inline]
pub fn clear_reschedule() {
    // SAFETY: GS points to this CPU's block, and the offset is that of a flag in it, which may be 0.
    unsafe {
        asm!(
            "mov byte ptr gs:[{0}], 0",
            const offset_of!(Local, reschedule),
            options(nostack, preserves_flags),
        );
    }
}
