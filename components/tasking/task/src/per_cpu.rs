//! What the scheduler keeps for each CPU.

use crate::{Task, policy::Reason};
use alloc::sync::Arc;
use core::{
    ptr,
    sync::atomic::{AtomicPtr, AtomicU8, AtomicU64, Ordering},
};
use cpu::{CpuId, CpuSet, MAX_CPUS};

/// A CPU's share of the scheduler. Only its own CPU writes it, with interrupts off.
pub(crate) struct PerCpu {
    /// The task that the CPU is switching away from: a reference that [`take_previous`] owns.
    previous: AtomicPtr<Task>,
    /// Why that task stays runnable, as a number; 0 when it does not.
    previous_reason: AtomicU8,
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
            previous_reason: AtomicU8::new(0),
            idle: AtomicPtr::new(ptr::null_mut()),
            switched_at: AtomicU64::new(0),
            switches: AtomicU64::new(0),
        }
    }
}

#[used]
static CPUS: [PerCpu; MAX_CPUS] = [const { PerCpu::new() }; MAX_CPUS];

/// A bit for each CPU that runs its idle task.
#[used]
static IDLE: AtomicU64 = AtomicU64::new(0);

/// The share of `cpu`, if this scheduler serves it.
pub(crate) fn of(cpu: CpuId) -> Option<&'static PerCpu> {
    CPUS.get(cpu.index())
}

/// The share of the CPU that runs this; interrupts must be off.
pub(crate) fn this() -> &'static PerCpu {
    // A CPU beyond the last share never runs a task, so the first one's share is not disturbed.
    of(cpu::current_cpu()).unwrap_or(&CPUS[0])
}

/// The task that this CPU runs; null before there are tasks.
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

/// Lets `cpu` look for a task if it idles: a task has been put in a queue for it.
pub(crate) fn wake_if_idle(cpu: CpuId) {
    // The idle task says that it idles before it looks into the queue for the last time.
    if idle_cpus().contains(cpu) {
        cpu::reschedule(cpu);
    }
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

/// Keeps the task that this CPU is leaving until the switch is over, and why it stays runnable.
pub(crate) fn set_previous(task: Arc<Task>, reason: Option<Reason>) {
    let share = this();
    let number = reason.map_or(0, |reason| reason as u8);
    share.previous_reason.store(number, Ordering::Relaxed);
    share
        .previous
        .store(Arc::into_raw(task).cast_mut(), Ordering::Relaxed);
}

/// The task that this CPU has just left, and why it stays runnable.
pub(crate) fn take_previous() -> Option<(Arc<Task>, Option<Reason>)> {
    let share = this();
    let raw = share.previous.load(Ordering::Relaxed);
    if raw.is_null() {
        return None;
    }
    share.previous.store(ptr::null_mut(), Ordering::Relaxed);
    let reason = Reason::from_number(share.previous_reason.load(Ordering::Relaxed));
    // SAFETY: the word only ever holds what `Arc::into_raw` gave it, and only this CPU, with
    // interrupts off, takes it out.
    Some((unsafe { Arc::from_raw(raw) }, reason))
}

/// Whether this CPU is leaving a task for which `predicate` holds; interrupts must be off.
pub(crate) fn previous_matches(predicate: impl FnOnce(&Task) -> bool) -> bool {
    let raw = this().previous.load(Ordering::Relaxed);
    if raw.is_null() {
        return false;
    }
    // SAFETY: the word holds what `Arc::into_raw` gave it, and only this CPU takes it out.
    predicate(unsafe { &*raw })
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
