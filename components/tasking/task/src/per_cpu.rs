//! What the scheduler keeps for each CPU.

use crate::Task;
use alloc::sync::Arc;
use core::{
    ptr,
    sync::atomic::{AtomicPtr, AtomicU64, Ordering},
};
use cpu::{CpuId, CpuSet, MAX_CPUS};

/// What each CPU runs when nothing else does: a reference that is never given back.
#[used]
static IDLE_TASKS: [AtomicPtr<Task>; MAX_CPUS] =
    [const { AtomicPtr::new(ptr::null_mut()) }; MAX_CPUS];

/// A bit for each CPU that runs its idle task.
#[used]
static IDLE: AtomicU64 = AtomicU64::new(0);

/// Whether a CPU is inside the scheduling policy. All others must be parked.
pub(crate) fn any_inside_policy() -> bool {
    let inside =
        |cpu| cpu::local_of(cpu).is_some_and(|local| local.inside_policy.load(Ordering::Relaxed));
    (0..).map(CpuId).take(MAX_CPUS).any(inside)
}

/// The task that this CPU runs; null before there are tasks.
#[inline]
pub(crate) fn current_raw() -> *const Task {
    cpu::current_task() as *const Task
}

/// Says that this CPU, which has a reference to it, runs `task`; interrupts must be off.
#[inline(always)]
pub(crate) fn set_current(task: &Task) {
    cpu::set_current_task(ptr::from_ref(task) as usize);
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
    if let Some(idle) = IDLE_TASKS.get(cpu.index()) {
        idle.store(Arc::into_raw(task).cast_mut(), Ordering::Release);
    }
}

/// The idle task of the CPU that runs this, with a reference of its own; null before it has one.
pub(crate) fn idle() -> *const Task {
    let idle = IDLE_TASKS.get(cpu::current_cpu().index());
    let raw = idle.map_or(ptr::null(), |idle| {
        idle.load(Ordering::Acquire).cast_const()
    });
    if !raw.is_null() {
        // SAFETY: `set_idle` stored the pointer of an `Arc` that nobody gives back.
        unsafe { Arc::increment_strong_count(raw) };
    }
    raw
}
