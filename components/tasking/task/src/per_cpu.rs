//! What the scheduler keeps for each CPU.

use crate::Task;
use alloc::sync::Arc;
use core::{
    ptr,
    sync::atomic::{AtomicPtr, AtomicU64, Ordering},
};
use cpu::CpuId;

/// The most CPUs that this scheduler serves; a further one stays parked.
pub(crate) const MAX_CPUS: usize = 64;

/// A CPU's share of the scheduler. Only its own CPU writes it, with interrupts off.
pub(crate) struct PerCpu {
    /// The task that the CPU is switching away from: a reference that [`take_previous`] owns.
    previous: AtomicPtr<Task>,
    /// What runs when nothing else does: a reference that is never given back.
    idle: AtomicPtr<Task>,
    /// Time stamp of the last switch.
    pub(crate) switched_at: AtomicU64,
    /// Number of switches.
    pub(crate) switches: AtomicU64,
}

impl PerCpu {
    const fn new() -> Self {
        Self {
            previous: AtomicPtr::new(ptr::null_mut()),
            idle: AtomicPtr::new(ptr::null_mut()),
            switched_at: AtomicU64::new(0),
            switches: AtomicU64::new(0),
        }
    }
}

#[used]
static CPUS: [PerCpu; MAX_CPUS] = [const { PerCpu::new() }; MAX_CPUS];

/// The share of `cpu`, if this scheduler serves it.
pub(crate) fn of(cpu: CpuId) -> Option<&'static PerCpu> {
    usize::try_from(cpu.0)
        .ok()
        .and_then(|index| CPUS.get(index))
}

/// The share of the CPU that runs this; interrupts must be off.
pub(crate) fn this() -> &'static PerCpu {
    // A CPU beyond the last share never runs a task, so the first one's share is not disturbed.
    of(cpu::current_cpu()).unwrap_or(&CPUS[0])
}

/// A reference to the task that this CPU runs; interrupts must be off.
pub(crate) fn current_raw() -> *const Task {
    cpu::local().current_task.load(Ordering::Relaxed) as *const Task
}

/// Makes `task` the one that this CPU runs, and gives back the reference to the one before.
pub(crate) fn set_current(task: Arc<Task>) -> Option<Arc<Task>> {
    let raw = Arc::into_raw(task) as usize;
    let before = cpu::local().current_task.swap(raw, Ordering::Relaxed) as *const Task;
    if before.is_null() {
        return None;
    }
    // SAFETY: the word only ever holds what `Arc::into_raw` gave it here, and the swap took it out.
    Some(unsafe { Arc::from_raw(before) })
}

/// Keeps the task that this CPU is leaving until the switch is over.
pub(crate) fn set_previous(task: Arc<Task>) {
    this()
        .previous
        .store(Arc::into_raw(task).cast_mut(), Ordering::Relaxed);
}

/// The task that this CPU has just left.
pub(crate) fn take_previous() -> Option<Arc<Task>> {
    let raw = this().previous.swap(ptr::null_mut(), Ordering::Relaxed);
    if raw.is_null() {
        return None;
    }
    // SAFETY: the word only ever holds what `Arc::into_raw` gave it, and the swap took it out.
    Some(unsafe { Arc::from_raw(raw) })
}

/// Gives `cpu` its idle task.
pub(crate) fn set_idle(cpu: CpuId, task: Arc<Task>) {
    if let Some(share) = of(cpu) {
        share
            .idle
            .store(Arc::into_raw(task).cast_mut(), Ordering::Release);
    }
}

/// The idle task of the CPU that runs this.
pub(crate) fn idle() -> Option<Arc<Task>> {
    let raw = this().idle.load(Ordering::Acquire).cast_const();
    if raw.is_null() {
        return None;
    }
    // SAFETY: `set_idle` stored the pointer of an `Arc` that nobody gives back.
    unsafe { Arc::increment_strong_count(raw) };
    // SAFETY: the reference counted above is the one that this takes.
    Some(unsafe { Arc::from_raw(raw) })
}
