//! Giving up the CPU and getting it back.

use crate::{
    Left, Reason, Runnable, State, Task, Turn, builder, hooks,
    kill::{self, Overdue},
    per_cpu::{self, PerCpu},
    policies, policy, safe_point, switch,
    task::Kind,
    timers,
};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use cpu::{CpuId, InterruptsOff};
use interrupts::TrapFrame;

/// Runs `operation` on the current task; `None` before there are tasks.
#[inline]
pub fn with_current<R>(operation: impl FnOnce(&Arc<Task>) -> R) -> Option<R> {
    let raw = per_cpu::current_raw();
    if raw.is_null() {
        return None;
    }
    // SAFETY: the pointer came from `Arc::into_raw`, and the CPU's reference to a task is kept
    // while that task runs, which it does for as long as this function does.
    let task = core::mem::ManuallyDrop::new(unsafe { Arc::from_raw(raw) });
    Some(operation(&task))
}

/// The current task; `None` before there are tasks.
#[must_use]
pub fn current() -> Option<Arc<Task>> {
    with_current(Arc::clone)
}

/// Lets another runnable task run, and comes back. A safe point.
pub fn yield_now() {
    let off = InterruptsOff::new();
    exchange(Reason::Yielded);
    drop(off);
    safe_point();
}

/// Blocks the current task until it is unblocked.
///
/// A wake-up that came since the last `block` counts, and one may come for another reason than the
/// caller's, so the caller looks at its condition in a loop. Not a safe point by itself: a caller
/// that is in nobody's queue any more calls [`safe_point`] after it. Killing a task wakes it.
pub fn block() {
    block_until(None);
}

/// Like [`block`], but at most until the clock shows `deadline_ns`.
pub fn block_until(deadline_ns: Option<u64>) {
    with_current(|task| {
        let off = InterruptsOff::new();
        if let Some(deadline_ns) = deadline_ns {
            timers::arm(task, deadline_ns);
        }
        // Either the waker sees `Blocked` and makes the task runnable, or this sees its wake-up.
        task.set_state(State::Blocked);
        let awake = task.wake_up.swap(false, Ordering::SeqCst);
        if !(awake && take_back(task)) {
            leave(task);
            task.wake_up.store(false, Ordering::SeqCst);
        }
        drop(off);
        if deadline_ns.is_some() {
            timers::disarm(task);
        }
    });
}

/// Ends the current task: the last thing that it does.
pub(crate) fn leave_for_ever() -> ! {
    let _off = InterruptsOff::new();
    with_current(|task| {
        task.set_state(State::Ended);
        leave(task);
    });
    // Nobody switches to a task that has ended.
    cpu::halt()
}

/// Goes on with the current task, which has been woken after it was marked as blocked, if nobody else
/// answers for it yet.
fn take_back(task: &Task) -> bool {
    if task.change_state(State::Blocked, State::Running) {
        return true;
    }
    // A waker on another CPU has made it runnable, but left it to this CPU to put it in a queue.
    let ours = task.queue_later.swap(false, Ordering::SeqCst);
    if ours {
        task.set_state(State::Running);
    }
    ours
}

/// Lets the task that the policy prefers run, which may be the current one; returns when the current
/// one runs again. Not for the idle task.
///
/// Interrupts must be off. The way through here is short on purpose: see `bench yield`.
#[inline(never)]
fn exchange(reason: Reason) {
    let raw = per_cpu::current_raw();
    if raw.is_null() {
        return;
    }
    cpu::clear_reschedule();
    // SAFETY: the CPU's reference to its current task is kept until the switch away from it is over.
    let current = unsafe { &*raw };
    let share = per_cpu::this();
    let cpu = cpu::current_cpu();
    let ran = account(share, current);
    current.mark(State::Runnable);
    // SAFETY: the pointer came from `Arc::into_raw`, and that reference is now the policy's. The task
    // has just been made runnable, by the only CPU that runs it.
    let running = unsafe { Runnable::from_raw(raw) };
    let turn = Turn { reason, ran };
    let next = policies::call(share, |policy| policy.exchange(cpu, running, turn));
    match next {
        Some(next) if core::ptr::eq(next.as_ptr(), raw) => {
            next.mark(State::Running);
            next.into_raw(); // The CPU's reference again.
        }
        Some(next) if !next.is_on_cpu() => switch_to(cpu, current, next.into_raw(), LEFT_IN_QUEUE),
        other => exchange_wrong(share, cpu, current, other),
    }
}

/// As [`exchange`], when the policy has answered with nothing, or with a task that cannot run here.
#[cold]
fn exchange_wrong(share: &PerCpu, cpu: CpuId, current: &Task, answer: Option<Runnable>) {
    let next = match answer {
        Some(wrong) => {
            drop(wrong); // Not lost.
            policy::pick(share, cpu, None)
        }
        None => None,
    };
    match next {
        Some(next) if core::ptr::eq(next.as_ptr(), current) => {
            next.mark(State::Running);
            next.into_raw();
        }
        Some(next) => switch_to(cpu, current, next.into_raw(), LEFT_IN_QUEUE),
        None => match per_cpu::idle() {
            // Before this CPU has its idle task, nothing else runs, so the task comes again.
            idle if idle.is_null() => current.mark(State::Running),
            idle => switch_to(cpu, current, idle, LEFT_IN_QUEUE),
        },
    }
}

/// Lets another task run, if there is one, instead of the idle task, or of one that may not run on this
/// CPU and comes into the queue of another when this one has left it. Whether another one has run.
fn make_way(current: &Task) -> bool {
    cpu::clear_reschedule();
    let share = per_cpu::this();
    let cpu = cpu::current_cpu();
    let idles = current.kind == Kind::Idle;
    let ran = account(share, current);
    let left = (!idles).then_some(Left { task: current, ran });
    let next = policy::pick(share, cpu, left).or_else(|| policy::steal(share, cpu));
    let next = match next {
        Some(next) => next.into_raw(),
        None if idles => return false,
        None => per_cpu::idle(),
    };
    if !idles {
        current.mark(State::Runnable);
        current.queue_later.store(true, Ordering::SeqCst);
    }
    switch_to(cpu, current, next, LEFT_ALONE);
    true
}

/// Lets another task run until the current one, which is marked as blocked or ended, has been woken
/// and is picked again.
///
/// Interrupts must be off.
fn leave(current: &Task) {
    cpu::clear_reschedule();
    let share = per_cpu::this();
    let cpu = cpu::current_cpu();
    let ran = account(share, current);
    let next = policy::pick(share, cpu, Some(Left { task: current, ran }));
    let next = next.or_else(|| policy::steal(share, cpu));
    let next = next.map_or_else(per_cpu::idle, Runnable::into_raw);
    if next.is_null() {
        // Only possible before this CPU has its idle task, and then nothing else could run.
        current.set_state(State::Running);
    } else {
        switch_to(cpu, current, next, LEFT_ALONE);
    }
}

/// How a CPU has left a task: in a queue, which has the reference to it, or with the reference that the
/// CPU had. In the lowest bit of the task's address, in `cpu::leaving_task`.
const LEFT_IN_QUEUE: usize = 0;
pub(crate) const LEFT_ALONE: usize = 1;

/// Switches from `current` to `next`, with a reference, which no CPU runs and nobody else may let run.
#[inline]
fn switch_to(cpu: CpuId, current: &Task, next: *const Task, left: usize) {
    let raw = core::ptr::from_ref(current);
    // SAFETY: the reference that comes with the pointer is this CPU's from here on.
    let next = unsafe { &*next };
    if next.kind == Kind::Idle || current.kind == Kind::Idle {
        note_idling(current, next);
    }
    // A task that blocks although it asked not to be preempted takes its request along.
    let disabled = cpu::preemption_depth();
    cpu::set_preemption_depth(0);
    next.mark(State::Running);
    next.on_cpu.store(true, Ordering::Relaxed);
    next.cpu.store(cpu.0, Ordering::Relaxed);
    let save = current.saved_stack_pointer.as_ptr();
    let load = next.saved_stack_pointer.load(Ordering::Acquire);
    cpu::set_current_task(core::ptr::from_ref(next) as usize);
    cpu::set_leaving_task(raw as usize | left);
    // SAFETY: interrupts are off; `save` lies in the task that is left, which is kept until the switch
    // is over: by the CPU's reference, or because it is marked as on this CPU and so runs nowhere.
    // `load` was stored when that task last left a CPU, or made for its fresh stack; no CPU is on that
    // stack, since an answer that is on one is refused.
    unsafe { switch::switch_stacks(save, load) };
    cpu::set_preemption_depth(disabled);
    finish_switch();
}

/// Between a task and the idle task.
#[cold]
fn note_idling(current: &Task, next: &Task) {
    let idles = next.kind == Kind::Idle;
    per_cpu::set_idling(idles);
    if !idles {
        // Until it runs again; it is in no queue.
        current.mark(State::Blocked);
    }
}

/// Adds the time since the last switch to the task that is leaving, or going on; that time.
#[inline]
fn account(share: &PerCpu, current: &Task) -> u64 {
    let now = cpu::timestamp();
    let before = share.switched_at.load(Ordering::Relaxed);
    share.switched_at.store(now, Ordering::Relaxed);
    let ran = now.wrapping_sub(before);
    // Only the CPU that runs a task counts its time.
    let cycles = current.cycles.load(Ordering::Relaxed);
    current
        .cycles
        .store(cycles.wrapping_add(ran), Ordering::Relaxed);
    ran
}

/// The first thing that a task does when it has got the CPU: lets go of the task before it.
#[inline]
pub(crate) fn finish_switch() {
    let left = cpu::leaving_task();
    cpu::set_leaving_task(0);
    if left & LEFT_ALONE != 0 {
        return finish_leaving((left & !LEFT_ALONE) as *const Task);
    }
    // SAFETY: the word is null, or the address of the task that this CPU has just left, which is kept
    // until it is no more on it.
    if let Some(previous) = unsafe { (left as *const Task).as_ref() } {
        // From here on another CPU may run it, and end it.
        previous.on_cpu.store(false, Ordering::Release);
    }
}

/// As [`finish_switch`], for a task that is in no queue.
fn finish_leaving(previous: *const Task) {
    // SAFETY: the reference is the one that the CPU had while the task ran.
    let previous = unsafe { Arc::from_raw(previous) };
    let ended = previous.state() == State::Ended;
    // From here on a waker puts the task in a queue itself; one that came before has left it to us.
    previous.on_cpu.store(false, Ordering::SeqCst);
    if ended {
        builder::retire(previous);
    } else if previous.queue_later.load(Ordering::SeqCst) {
        previous.queue_if_left();
    }
}

/// The end of a hardware interrupt, on the interrupted task's stack, interrupts off.
pub(crate) fn preempt(frame: &mut TrapFrame) {
    if !cpu::local().reschedule.load(Ordering::Relaxed) {
        return;
    }
    with_current(|task| {
        if task.kind == Kind::Idle || !task.allowed_cpus().contains(cpu::current_cpu()) {
            make_way(task);
        } else {
            exchange(Reason::Preempted);
        }
    });
    // The task has the CPU again. If it was killed while it looped, no safe point would ever come.
    let overdue = match with_current(|task| kill::overdue(task)) {
        None | Some(Overdue::No) => false,
        Some(Overdue::InApplication) => hooks::is_application_text(frame.rip),
        Some(Overdue::Anywhere) => true,
    };
    if overdue {
        hooks::unwind_interrupted(frame, crate::Failure::Killed);
    }
}

/// Lets the task that matters more run that the current one has just made runnable, as the end of an
/// interrupt would. Interrupts must be off.
#[cold]
pub(crate) fn preempt_here() {
    if cpu::preemption_enabled() {
        exchange(Reason::Preempted);
    }
}

/// A timer tick, in its interrupt handler.
pub(crate) fn tick() {
    timers::wake_due();
    policy::requeue_strays();
    let share = per_cpu::this();
    let since = share.switched_at.load(Ordering::Relaxed);
    let wanted = with_current(|task| {
        let ran = cpu::timestamp().saturating_sub(since);
        // A tick also ends the wait of a kill for a task that never blocks.
        task.kind == Kind::Idle
            || kill::due(task)
            || policy::tick(share, task, ran)
            || !task.allowed_cpus().contains(cpu::current_cpu())
    });
    if wanted.unwrap_or(false) {
        cpu::local().reschedule.store(true, Ordering::Relaxed);
    }
}

/// What the idle task does: waits for interrupts, which bring work.
pub(crate) fn idle() -> ! {
    loop {
        let off = InterruptsOff::new();
        // Another CPU may have put a task in a queue for this one after the last look into it and
        // before this one was known to idle; so the last look is one after which nothing ran.
        while with_current(|idle| make_way(idle)).unwrap_or(false) && !cpu::alone() {}
        // Somebody may have been woken since, by another CPU or on the way here.
        if !cpu::local().reschedule.load(Ordering::Relaxed) {
            cpu::wait_for_interrupt();
        }
        drop(off);
    }
}
