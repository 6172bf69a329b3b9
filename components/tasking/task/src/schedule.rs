//! Giving up the CPU and getting it back.

use crate::{
    State, Task, builder, hooks, kill, per_cpu, policy, policy::Reason, safe_point, switch,
    task::Kind, timers,
};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use cpu::InterruptsOff;
use interrupts::TrapFrame;

/// Runs `operation` on the current task; `None` before there are tasks.
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
    give_up(Leave::StayRunnable(Reason::Yielded));
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
            give_up(Leave::Blocked);
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
    with_current(|task| task.set_state(State::Ended));
    give_up(Leave::Ended);
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

/// In which state the current task leaves the CPU.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leave {
    StayRunnable(Reason),
    /// It is marked as blocked, or has been woken again since.
    Blocked,
    Ended,
}

/// Switches to the task that the policy picks, if there is one; returns when this task runs again.
/// Whether it has switched.
///
/// Interrupts must be off.
fn give_up(leave: Leave) -> bool {
    let local = cpu::local();
    local.reschedule.store(false, Ordering::Relaxed);
    let raw = per_cpu::current_raw();
    if raw.is_null() {
        return false;
    }
    // SAFETY: the CPU's reference to its current task is kept until the switch away from it is over.
    let current = unsafe { &*raw };
    let (next, reason) = match leave {
        // A task that could go on does so when no other waits.
        Leave::StayRunnable(reason) => match policy::pick().or_else(|| steal_for(current)) {
            Some(next) => {
                current.set_state(State::Runnable);
                (next, Some(reason))
            }
            None => return false,
        },
        Leave::Blocked | Leave::Ended => {
            match policy::pick().or_else(policy::steal).or_else(per_cpu::idle) {
                Some(next) => (next, None),
                // Only possible before this CPU has its idle task, and then nothing else could run.
                None => {
                    current.set_state(State::Running);
                    return false;
                }
            }
        }
    };
    if core::ptr::eq(&raw const *next, raw) {
        // It was blocked, and woken and picked again before the switch.
        return false;
    }
    // A task that blocks although it asked not to be preempted takes its request along.
    let disabled = cpu::preemption_depth();
    cpu::set_preemption_depth(0);
    switch_to(current, next, reason);
    cpu::set_preemption_depth(disabled);
    finish_switch();
    true
}

/// A task of another CPU's, for the idle task.
fn steal_for(current: &Task) -> Option<Arc<Task>> {
    if current.kind == Kind::Idle {
        policy::steal()
    } else {
        None
    }
}

/// Switches from `current` to `next`, which is in state `Running` by the picking's doing, or the idle
/// task.
fn switch_to(current: &Task, next: Arc<Task>, reason: Option<Reason>) {
    if next.kind == Kind::Idle {
        next.set_state(State::Running);
        per_cpu::set_idling(true);
    } else if current.kind == Kind::Idle {
        per_cpu::set_idling(false);
    }
    // A task comes into a queue only after the CPU that it ran on has left it, so its stack is free.
    next.on_cpu.store(true, Ordering::Relaxed);
    next.cpu.store(cpu::current_cpu().0, Ordering::Relaxed);
    account(current);
    let save = current.saved_stack_pointer.as_ptr();
    let load = next.saved_stack_pointer.load(Ordering::Acquire);
    if let Some(before) = per_cpu::set_current(next) {
        // This keeps the task, and with it `save`, until the switch is over.
        per_cpu::set_previous(before, reason);
    }
    // SAFETY: interrupts are off; `save` lies in the task that `previous` keeps; `load` was stored
    // when that task last left a CPU, or made for its fresh stack; no CPU is on that stack, see above.
    unsafe { switch::switch_stacks(save, load) };
}

/// Adds the time since the last switch to the task that is leaving.
fn account(current: &Task) {
    let share = per_cpu::this();
    let now = cpu::timestamp();
    let before = share.switched_at.swap(now, Ordering::Relaxed);
    current
        .cycles
        .fetch_add(now.saturating_sub(before), Ordering::Relaxed);
    share.switches.fetch_add(1, Ordering::Relaxed);
}

/// The first thing that a task does when it has got the CPU: lets go of the task before it.
pub(crate) fn finish_switch() {
    let Some((previous, reason)) = per_cpu::take_previous() else {
        return;
    };
    if let Some(reason) = reason {
        previous.on_cpu.store(false, Ordering::Release);
        policy::enqueue(previous, reason);
        return;
    }
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
    give_up(Leave::StayRunnable(Reason::Preempted));
    // The task has the CPU again. If it was killed while it looped in an application's own code, no
    // safe point would ever come.
    let overdue = with_current(|task| kill::is_overdue(task)).unwrap_or(false);
    if overdue && hooks::is_application_text(frame.rip) {
        hooks::unwind_interrupted(frame, crate::Failure::Killed);
    }
}

/// A timer tick, in its interrupt handler.
pub(crate) fn tick() {
    timers::wake_due();
    let wanted = with_current(|task| {
        // A tick also ends the wait of a kill for a task that never blocks.
        task.kind == Kind::Idle || kill::due(task) || policy::tick(task)
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
        while give_up(Leave::StayRunnable(Reason::Yielded)) && !cpu::alone() {}
        // Somebody may have been woken since, by another CPU or on the way here.
        if !cpu::local().reschedule.load(Ordering::Relaxed) {
            cpu::wait_for_interrupt();
        }
        drop(off);
    }
}
