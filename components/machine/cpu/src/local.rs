//! The per-CPU block behind the GS base.

use core::{
    arch::asm,
    fmt,
    sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering},
};

/// Which CPU: 0 is the one that booted; the others are numbered as they are started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CpuId(pub u32);

impl fmt::Display for CpuId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cpu{}", self.0)
    }
}

/// What each CPU has of its own.
///
/// A reference stays valid for ever, but a task that may be preempted may read it on another CPU
/// than the one it describes; who needs the current CPU's block holds a
/// [`PreemptionGuard`](crate::PreemptionGuard) or has interrupts off.
#[repr(C)]
#[derive(Debug)]
pub struct Local {
    /// Address of this block, read through GS.
    this: AtomicPtr<Local>,
    /// The CPU.
    id: AtomicU32,
    /// While not 0, the running task is not preempted.
    pub preemption_disabled: AtomicU32,
    /// How many interrupt handlers are active, one within the other.
    pub interrupt_nesting: AtomicU32,
    /// Set by whoever wants the next chance of preemption to be taken.
    pub reschedule: AtomicBool,
    /// The running task, as a number that only `task` understands; 0 before there are tasks.
    pub current_task: AtomicUsize,
    /// Address of the CPU's share of the heap, which only `heap` understands; 0 before it has one
    /// and while an interrupt handler is active, which must not use what it may have interrupted.
    pub heap: AtomicUsize,
}

/// Offset of `preemption_disabled`, for single instructions through GS.
pub(crate) const PREEMPTION_OFFSET: usize = core::mem::offset_of!(Local, preemption_disabled);
/// Offset of `heap`.
const HEAP_OFFSET: usize = core::mem::offset_of!(Local, heap);

impl Local {
    pub(crate) const fn new() -> Self {
        Self {
            this: AtomicPtr::new(core::ptr::null_mut()),
            id: AtomicU32::new(0),
            preemption_disabled: AtomicU32::new(0),
            interrupt_nesting: AtomicU32::new(0),
            reschedule: AtomicBool::new(false),
            current_task: AtomicUsize::new(0),
            heap: AtomicUsize::new(0),
        }
    }

    /// Fills in who this is, before the CPU uses it.
    pub(crate) fn identify(&'static self, id: CpuId) {
        self.id.store(id.0, Ordering::Relaxed);
        self.this
            .store(core::ptr::from_ref(self).cast_mut(), Ordering::Release);
    }

    /// The CPU that the block belongs to.
    #[must_use]
    #[inline]
    pub fn id(&self) -> CpuId {
        CpuId(self.id.load(Ordering::Relaxed))
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

/// The CPU that runs this.
#[must_use]
#[inline]
pub fn current_cpu() -> CpuId {
    local().id()
}
