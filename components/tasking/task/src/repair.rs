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
use core::sync::atomic::{AtomicBool, Ordering};
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
/// a switch between two: then the switch is taken back. Interrupts must be off, and stay so until the task
/// has been settled. For the faults' handler.
pub fn settle_switch(stack_pointer: u64) {
    let leaving = cpu::leaving_task();
    // SAFETY: the word is 0, or the address of the task that this CPU is leaving, which is kept until it
    // has.
    let previous = unsafe { ((leaving & !schedule::LEFT_IN_QUEUE) as *const Task).as_ref() };
    let Some(previous) = previous else { return };
    // Stacks may lie close to each other, and a reserve is small.
    let inside = |task: &Task| task.stack_range().contains(stack_pointer);
    let on_own =
        with_current(|task| inside(task) || !inside(previous) && is_on_stack(task, stack_pointer));
    if on_own.unwrap_or(true) || !is_on_stack(previous, stack_pointer) {
        return;
    }
    cpu::clear_leaving_task();
    previous.set_state(State::Running);
    per_cpu::set_idling(previous.kind == Kind::Idle);
    let next = per_cpu::current_raw();
    // The reference to it is the CPU's again, if it was a queue's.
    per_cpu::set_current(previous);
    previous.requests.copy();
    // SAFETY: the reference was this CPU's, which does not run the task now.
    let next = unsafe { Arc::from_raw(next) };
    next.words.leave_cpu_in_queue();
    if next.kind != Kind::Idle {
        next.set_state(State::Runnable);
        // SAFETY: the task had been picked by this CPU alone, and is runnable again.
        policy::keep_stray(unsafe { Runnable::new(next) });
    }
}

/// Makes the current task, which is being unwound from anywhere, a running task like any other. For the
/// unwinder, as soon as interrupts are on again, so that no lock is held.
pub fn settle() {
    let _off = InterruptsOff::new();
    cpu::local().exception_depth.store(0, Ordering::Relaxed);
    with_current(|task| {
        if task.state() != State::Running {
            // Its reference is the CPU's again, if it was a queue's.
            task.set_state(State::Running);
            task.words.drop_queueing();
        }
        if task.kind == Kind::Idle {
            per_cpu::set_idling(true);
        }
    });
    let left = take_left();
    repair();
    if let Some((previous, ended)) = left {
        schedule::see_off(previous, ended);
    }
}

/// As [`settle`], for an unwinding that has begun where interrupts were on, so that the scheduler was whole.
pub fn land() {
    let _off = InterruptsOff::new();
    cpu::local().exception_depth.store(0, Ordering::Relaxed);
    cpu::holds_no_lock();
    cpu::leave_rendezvous();
    with_current(|task| {
        if task.timer_link.is_linked() {
            timers::disarm(task);
        }
    });
}

/// The other half of a switch that a fault has cut short: the task that this CPU has left, if that is in no
/// queue, and whether it had ended.
fn take_left() -> Option<(Arc<Task>, bool)> {
    let left = cpu::leaving_task();
    cpu::clear_leaving_task();
    let raw = (left & !schedule::LEFT_IN_QUEUE) as *const Task;
    // SAFETY: the word is 0, or the address of the task that this CPU has just left, which is kept until
    // it is no more on it.
    let previous = unsafe { raw.as_ref() }?;
    let ended = previous.state() == State::Ended;
    previous.words.leave_cpu();
    // SAFETY: the reference to a task that is left in no queue is the one that the CPU had.
    (left & schedule::LEFT_IN_QUEUE == 0).then(|| (unsafe { Arc::from_raw(raw) }, ended))
}

/// Whether queues are to be made anew, because that could not be done when it should have been.
#[used]
static DUE: AtomicBool = AtomicBool::new(false);

/// How often that is tried at once when a CPU stands still inside the policy.
const ATTEMPTS: u32 = 100;

/// How long the other CPUs may take to stand still for it: interrupts are off meanwhile.
const SHORT_PATIENCE_NS: u64 = 200_000_000;

/// Makes the queues of the scheduler anew after a fault with interrupts off, which may have hit it half way:
/// what each task's own state says is right, and whatever links tasks is not believed. All that are blocked
/// are woken, and look again at what they wait for.
///
/// The fault must be over: this CPU holds no lock, and nothing that was cut short goes on.
pub fn repair() {
    let _off = InterruptsOff::new();
    cpu::holds_no_lock();
    cpu::leave_rendezvous();
    cpu::leave_policy();
    let limit = clock::ns_to_ticks(SHORT_PATIENCE_NS);
    for _ in 0..ATTEMPTS {
        let repaired = cpu::rendezvous(limit, || {
            let free = !per_cpu::any_inside_policy();
            if free {
                requeue_all();
            }
            free
        });
        match repaired {
            Ok(true) => {
                DUE.store(false, Ordering::Relaxed);
                cpu::online_cpus().iter().for_each(cpu::reschedule);
                return;
            }
            Ok(false) => core::hint::spin_loop(),
            Err(_) => break,
        }
    }
    DUE.store(true, Ordering::Relaxed);
}

/// Whether the next tick has a repair to make up for.
pub(crate) fn is_due() -> bool {
    DUE.load(Ordering::Relaxed)
}

/// Does what [`repair`] could not do; at a timer tick.
#[inline]
pub(crate) fn make_up() {
    // One CPU does it for all.
    if DUE.load(Ordering::Relaxed) && DUE.swap(false, Ordering::Relaxed) {
        repair();
    }
}

/// Puts each task where its state says, in the queues of the policy that is in charge. All other CPUs stand
/// still outside of it.
fn requeue_all() {
    policies::call(|policy| policy.forget_all());
    policy::forget_strays();
    timers::forget_all();
    let mut waiting = RunQueue::new();
    info::for_each(|task| {
        task.clear_policy_words();
        // SAFETY: what linked tasks has been forgotten.
        let (waited, slept) = unsafe { task.reset_links() };
        let free = take_off(task);
        let wanted = free && task.kind != Kind::Idle && becomes_runnable(task);
        let task = task.reference();
        if slept {
            give_back(&task);
        }
        // The reference to a task that was in a queue and runs is the CPU's again.
        if waited && free {
            give_back(&task);
        }
        if wanted {
            // SAFETY: the task is runnable, on no CPU and in no queue.
            waiting.push_back(unsafe { Runnable::new(task) });
        }
    });
    let cpu = cpu::current_cpu();
    while let Some(task) = waiting.pop_front() {
        policies::call(|policy| policy.enqueue(cpu, task, Reason::Woken));
    }
}

/// Whether no CPU runs the task or is leaving it; then it is on none.
fn take_off(task: &Task) -> bool {
    let is = |word: usize| core::ptr::eq((word & !schedule::LEFT_IN_QUEUE) as *const Task, task);
    let runs = |cpu| {
        cpu::local_of(cpu).is_some_and(|local| {
            is(local.current_task.load(Ordering::Relaxed))
                || is(local.leaving_task.load(Ordering::Relaxed))
        })
    };
    if (0..).map(CpuId).take(MAX_CPUS).any(runs) {
        return false;
    }
    task.words.leave_cpu();
    true
}

/// Makes a task that is on no CPU runnable, unless it has ended: one that is blocked is woken, and one that
/// was about to run is again.
fn becomes_runnable(task: &Task) -> bool {
    let state = task.state();
    if state == State::Ended {
        return false;
    }
    task.words.reset_to_runnable();
    true
}

/// Gives back a reference that whoever had it has forgotten.
fn give_back(task: &Arc<Task>) {
    // SAFETY: the reference is counted, nobody else gives it back, and `task` is another one.
    unsafe { Arc::decrement_strong_count(Arc::as_ptr(task)) };
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
        // What it owned has not been dropped, and may be used by somebody else still.
        core::mem::forget(task.take_kept());
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
        confirmed.map(|task| task.words.give_queueing()).count()
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
