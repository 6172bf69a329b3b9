//! What the scheduler keeps for each CPU.

use crate::Task;
use alloc::sync::Arc;
use core::{
    ptr,
    sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering},
};
use cpu::{CpuId, CpuSet, MAX_CPUS};

/// A CPU's share of the scheduler. Only its own CPU writes it, with interrupts off.
#[repr(align(64))]
pub(crate) struct PerCpu {
    /// Whether the CPU is inside the scheduling policy.
    pub(crate) inside_policy: AtomicBool,
    /// What runs when nothing else does: a reference that is never given back.
    idle: AtomicPtr<Task>,
    /// Time stamp of the last switch, or of the last time that the running task was accounted for.
    pub(crate) switched_at: AtomicU64,
}

impl PerCpu {
    const fn new() -> Self {
        Self {
            inside_policy: AtomicBool::new(false),
            idle: AtomicPtr::new(ptr::null_mut()),
            switched_at: AtomicU64::new(0),
        }
    }
}

#[used]
static CPUS: [PerCpu; MAX_CPUS] = [const { PerCpu::new() }; MAX_CPUS];

/// A bit for each CPU that runs its idle task.
#[used]
static IDLE: AtomicU64 = AtomicU64::new(0);

/// The share of `cpu`, if this scheduler serves it.
#[inline]
pub(crate) fn of(cpu: CpuId) -> Option<&'static PerCpu> {
    CPUS.get(cpu.index())
}

/// The share of the CPU that runs this; interrupts must be off.
#[inline]
pub(crate) fn this() -> &'static PerCpu {
    // No CPU has a number beyond the last share's.
    let index = cpu::current_cpu().index() % MAX_CPUS;
    CPUS.get(index).unwrap_or(&CPUS[0])
}

/// Whether a CPU is inside the scheduling policy. All others must be parked.
pub(crate) fn any_inside_policy() -> bool {
    CPUS.iter()
        .any(|share| share.inside_policy.load(Ordering::Relaxed))
}

/// The task that this CPU runs; null before there are tasks.
#[inline]
pub(crate) fn current_raw() -> *const Task {
    cpu::current_task() as *const Task
}

/// Notes whether this CPU runs its idle task; interrupts must be off.
pub(crate) fn set_idling(idles: bool) {
    let bit = cpu::current_cpu().bit();
    if idles {
        IDLE.fetch_or(bit, Ordering::SeqCst);
    } else {
        IDLE.fetch_and(!bit, Ordering::SeqCst);
    }
}

/// The CPUs that have nothing to run.
#[must_use]
pub fn idle_cpus() -> CpuSet {
    CpuSet::of_word(IDLE.load(Ordering::SeqCst))
}

/// Gives `cpu` its idle task.
pub(crate) fn set_idle(cpu: CpuId, task: Arc<Task>) {
    if let Some(share) = of(cpu) {
        share
            .idle
            .store(Arc::into_raw(task).cast_mut(), Ordering::Release);
    }
}

/// The idle task of the CPU that runs this, with a reference of its own; null before it has one.
pub(crate) fn idle() -> *const Task {
    let raw = this().idle.load(Ordering::Acquire).cast_const();
    if !raw.is_null() {
        // SAFETY: `set_idle` stored the pointer of an `Arc` that nobody gives back.
        unsafe { Arc::increment_strong_count(raw) };
    }
    raw
}
