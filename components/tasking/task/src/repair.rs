//! Putting the books of the scheduler right after a fault.
//!
//! A fault with interrupts off may hit the scheduler itself, between two words that belong together. The
//! unwinder asks here at both ends: when a fault begins, which task it is that faulted, and when it has
//! been unwound, to make it a running task like any other.

use crate::{
    Failure, RunQueue, Runnable, State, Task, hooks, info, per_cpu, policies,
    policy::{self, Reason},
    schedule,
    task::Kind,
    timers, with_current,
};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use cpu::{CpuId, InterruptsOff, MAX_CPUS};
use handover::VirtualRange;
use interrupts::{Room, StackNeed};

/// Below a stack there may be a mapped reserve of at most this many bytes.
const MOST_RESERVE: u64 = 64 * 1024;

/// What `range` is to the stack of the current task. If it is part of that, it is mapped from `touched` on.
pub(crate) fn room(range: VirtualRange, touched: u64) -> Room {
    let raw = per_cpu::current_raw();
    if raw.is_null() {
        return Room::Unknown;
    }
    // SAFETY: the CPU's reference to its current task is kept while that task runs, and this runs on
    // that CPU with interrupts off.
    let task = unsafe { &*raw };
    let stack = task.stack_range();
    if stack.start <= range.start && range.end <= stack.end {
        if task.map_stack_from(touched) {
            Room::Own
        } else {
            Room::Foreign
        }
    } else if stack.start.saturating_sub(MOST_RESERVE) <= range.start && range.end <= stack.end {
        Room::Unknown
    } else {
        Room::Foreign
    }
}

/// Maps the page of `address` if it is part of the stack of the flow that runs; whether it is mapped then.
pub(crate) fn grow(address: u64, need: StackNeed) -> bool {
    let current = per_cpu::current_raw();
    // A switch changes the task before it changes the stack.
    let leaving = (cpu::leaving_task() & !schedule::LEFT_IN_QUEUE) as *const Task;
    [current, leaving].into_iter().any(|raw| {
        // SAFETY: both words are null, or the address of a task that is kept for as long as the word is
        // there, which this CPU alone changes, and it is here.
        let task = unsafe { raw.as_ref() };
        task.is_some_and(|task| {
            if task.stack_range().contains(address) {
                task.grow_stack(address, need)
            } else {
                is_on_stack(task, address) && stacks::is_mapped(address)
            }
        })
    })
}

/// Whether `address` lies in the stack of `task`, its reserve included.
fn is_on_stack(task: &Task, address: u64) -> bool {
    let stack = task.stack_range();
    stack.start.saturating_sub(MOST_RESERVE) <= address && address <= stack.end
}

/// Sees to it that the current task is the one whose stack `stack_pointer` lies in, when a fault has hit
/// a switch between two: then the switch is taken back. Interrupts must be off. For the faults' handler.
pub fn settle_switch(stack_pointer: u64) {
    let on_own = with_current(|task| is_on_stack(task, stack_pointer)).unwrap_or(true);
    let leaving = cpu::leaving_task();
    // SAFETY: the word is 0, or the address of the task that this CPU is leaving, which is kept until it
    // has.
    let previous = unsafe { ((leaving & !schedule::LEFT_IN_QUEUE) as *const Task).as_ref() };
    let Some(previous) = previous.filter(|task| !on_own && is_on_stack(task, stack_pointer)) else {
        return;
    };
    cpu::clear_leaving_task();
    if leaving & schedule::LEFT_IN_QUEUE != 0 {
        take_out(previous);
    }
    previous.set_state(State::Running);
    per_cpu::set_idling(previous.kind == Kind::Idle);
    let next = per_cpu::current_raw();
    cpu::set_current_task(core::ptr::from_ref(previous) as usize);
    // SAFETY: the reference was this CPU's, which does not run the task now.
    let next = unsafe { Arc::from_raw(next) };
    next.on_cpu.store(false, Ordering::Release);
    if next.kind != Kind::Idle {
        next.set_state(State::Runnable);
        // SAFETY: the task had been picked by this CPU alone, and is runnable again.
        policy::enqueue(unsafe { Runnable::new(next) }, Reason::Woken);
    }
}

/// Takes the right to let `task` run out of the queue that it is in, because it goes on instead. The
/// reference that came with it is the CPU's again.
fn take_out(task: &Task) {
    let mut others = RunQueue::new();
    for cpu in (0..).map(CpuId).take(MAX_CPUS) {
        while task.run_link.is_queued()
            && let Some(waiting) = policies::call(|policy| policy.give_up(cpu))
        {
            if core::ptr::eq(waiting.as_ptr(), task) {
                waiting.into_raw(); // The CPU's reference again.
            } else {
                others.push_back(waiting);
            }
        }
        while let Some(other) = others.pop_front() {
            policies::call(|policy| policy.enqueue(cpu, other, Reason::Moved));
        }
    }
    policy::take_out_of_strays(task);
}

/// Makes the current task, which has just been unwound from anywhere, a running task like any other.
/// For the unwinder, when interrupts were on in the catch that it has arrived at.
pub fn settle() {
    let _off = InterruptsOff::new();
    cpu::local().exception_depth.store(0, Ordering::Relaxed);
    cpu::holds_no_lock();
    cpu::leave_rendezvous();
    cpu::leave_policy();
    with_current(|task| {
        if task.run_link.is_queued() {
            take_out(task);
        }
        if task.state() != State::Running {
            task.set_state(State::Running);
            task.queue_later.store(false, Ordering::SeqCst);
        }
        if task.timer_link.is_linked() {
            timers::disarm(task);
        }
        if task.kind == Kind::Idle {
            per_cpu::set_idling(true);
        }
    });
    schedule::finish_switch();
}

/// Ends the current task without unwinding it: nothing of what it owns is dropped. The last resort, for
/// a task whose stack cannot be trusted. Whoever calls this stands at the top of that stack.
pub fn abandon(failure: Failure) -> ! {
    settle();
    cpu::set_preemption_depth(0);
    if with_current(|task| task.kind == Kind::Idle).unwrap_or(false) {
        cpu::enable_interrupts();
        schedule::idle();
    }
    cpu::enable_interrupts();
    with_current(|task| {
        task.forget_streams();
        task.ending.lock().result = Some(Err(failure));
    });
    schedule::leave_for_ever()
}

/// Idles, whatever happens meanwhile: a CPU cannot do without its idle task.
pub(crate) fn idle_for_ever() -> ! {
    loop {
        // It has been reported, and what it did not finish is idling.
        let _ = hooks::catch(&mut || schedule::idle());
    }
}

/// Longest time that the other CPUs may take to stand still.
const PATIENCE_NS: u64 = 1_000_000_000;

/// Puts tasks in a queue that are runnable and in none, because a fault has hit whoever was about to do
/// that; answers how many. One that looks so twice, to whoever keeps `candidates` between two calls, is
/// looked at again while all CPUs stand still outside of the scheduler: one that was merely on its way
/// has arrived then, because that way is one without interrupts.
pub fn requeue_lost(candidates: &mut [Option<crate::TaskId>]) -> usize {
    let mut found = [None; 16];
    let mut lost = info::all();
    lost.retain(|task| is_lost(task));
    for (task, place) in lost.iter().zip(&mut found) {
        *place = Some(task.id());
    }
    lost.retain(|task| candidates.contains(&Some(task.id())));
    for (candidate, found) in candidates.iter_mut().zip(found) {
        *candidate = found;
    }
    if lost.is_empty() {
        return 0;
    }
    let limit = clock::ns_to_ticks(PATIENCE_NS);
    let confirmed = cpu::rendezvous(limit, || {
        if per_cpu::any_inside_policy() {
            return 0;
        }
        let confirmed = lost.iter().filter(|task| is_lost(task));
        confirmed
            .map(|task| task.queue_later.store(true, Ordering::SeqCst))
            .count()
    });
    // Not in the rendezvous: this asks the policy. A CPU that does not stand still puts it off.
    lost.iter().for_each(|task| task.queue_if_left());
    confirmed.unwrap_or(0)
}

/// Whether the task is runnable, and in no queue.
fn is_lost(task: &Task) -> bool {
    task.state() == State::Runnable
        && !task.is_on_cpu()
        && !task.run_link.is_queued()
        && task.kind != Kind::Idle
}

/// Wakes all tasks that are blocked, so that each looks again at what it waits for: a fault may have hit
/// whoever was about to wake one of them.
pub fn wake_blocked() {
    let blocked = |task: &Arc<Task>| task.state() == State::Blocked;
    for task in info::all().into_iter().filter(blocked) {
        task.unblock();
    }
}
