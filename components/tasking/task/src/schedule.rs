//! Giving up the CPU and getting it back.

use crate::{
    Reason, Runnable, State, Task, builder, hooks,
    kill::{self, Overdue},
    per_cpu, policies, policy, repair, requests, safe_point, switch,
    task::Kind,
    timers,
};
use alloc::sync::Arc;
use core::{marker::PhantomData, mem::ManuallyDrop, ops::Deref, sync::atomic::Ordering};
use cpu::InterruptsOff;
use interrupts::TrapFrame;

/// The task that runs this, borrowed from its CPU.
///
/// It does not leave the task: it can neither be sent nor shared, and the CPU keeps its reference for as long
/// as the task runs.
#[derive(Debug)]
pub struct Current {
    task: ManuallyDrop<Arc<Task>>,
    not_send: PhantomData<*mut ()>,
}

impl Current {
    /// The task that runs this; `None` before there are tasks.
    #[must_use]
    #[inline(always)]
    pub fn get() -> Option<Self> {
        let raw = per_cpu::current_raw();
        if raw.is_null() {
            return None;
        }
        Some(Self {
            // SAFETY: the pointer came from `Arc::into_raw`, and the reference is not dropped here, nor used
            // after the CPU has given up its own: the value stays in the task.
            task: ManuallyDrop::new(unsafe { Arc::from_raw(raw) }),
            not_send: PhantomData,
        })
    }
}

impl Deref for Current {
    type Target = Arc<Task>;

    #[inline(always)]
    fn deref(&self) -> &Arc<Task> {
        &self.task
    }
}

/// Runs `operation` on the current task; `None` before there are tasks.
#[inline]
pub fn with_current<R>(operation: impl FnOnce(&Arc<Task>) -> R) -> Option<R> {
    Current::get().map(|task| operation(&task))
}

/// The current task; `None` before there are tasks.
#[must_use]
pub fn current() -> Option<Arc<Task>> {
    with_current(Arc::clone)
}

/// Lets another runnable task run, and comes back. A safe point.
pub fn yield_now() {
    let off = InterruptsOff::new();
    if off.were_enabled() {
        // Compiled into this function, since every instruction counts here: see `bench yield`.
        exchange_here(Reason::Yielded);
        drop(off);
    } else {
        exchange(Reason::Yielded);
    }
    safe_point();
}

/// Blocks the current task until it is unblocked.
///
/// A wake-up that came since the last `block` counts, and one may come for another reason than the
/// caller's, so the caller looks at its condition in a loop. Not a safe point by itself: a caller
/// that is in nobody's queue any more calls [`safe_point`] after it. Killing a task wakes it.
pub fn block() {
    block_within(&InterruptsOff::new());
}

/// As [`block`], for who has turned interrupts off before it said that it can be woken, and so cannot be
/// interrupted between that and the block. They are off again when it returns.
#[inline]
pub fn block_within(_off: &InterruptsOff) {
    block_uninterrupted();
}

fn block_uninterrupted() {
    // SAFETY: the word is null, or the CPU's reference to its current task, which is kept until the
    // switch away from it is over, and again when it has come back.
    if let Some(task) = unsafe { per_cpu::current_raw().as_ref() } {
        block_here(task);
    }
}

/// Like [`block`], but at most until the clock shows `deadline_ns`.
pub fn block_until(deadline_ns: Option<u64>) {
    let Some(deadline_ns) = deadline_ns else {
        return block();
    };
    with_current(|task| {
        let off = InterruptsOff::new();
        timers::arm(task, deadline_ns);
        block_here(task);
        drop(off);
        timers::disarm(task);
    });
}

/// Blocks the current task; interrupts must be off.
#[inline(always)]
fn block_here(task: &Task) {
    if task.words.begin_block() {
        leave(task);
        task.words.end_block();
        // Who asked for something before that has woken the task by it, in vain.
        task.requests.copy();
    } else {
        requests::look(); // Maybe it was woken for one.
    }
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

/// Lets the task that the policy prefers run, which may be the current one; returns when the current
/// one runs again. Not for the idle task.
///
/// Interrupts must be off.
#[inline(never)]
fn exchange(reason: Reason) {
    exchange_here(reason);
}

/// As [`exchange`], without a call.
#[inline(always)]
fn exchange_here(reason: Reason) {
    let raw = per_cpu::current_raw();
    cpu::clear_reschedule();
    // SAFETY: the word is null, or the CPU's reference to its current task, which is kept until the
    // switch away from it is over, and again when it has come back.
    let Some(current) = (unsafe { raw.as_ref() }) else {
        return;
    };
    account(current);
    current.mark(State::Runnable);
    // SAFETY: the pointer came from `Arc::into_raw`, and that reference is now the policy's. The task
    // has just been made runnable, by the only CPU that runs it.
    let running = unsafe { Runnable::from_raw(raw) };
    let next = policies::call(|policy| policy.exchange(cpu::current_cpu(), running, reason));
    match next {
        Some(next) if !next.is_on_cpu() => {
            switch_between(current, next.into_raw(), LEFT_IN_QUEUE);
            current.requests.copy();
        }
        other => exchange_for_none(current, other),
    }
}

/// As [`exchange`], when the policy has answered with the current task, with nothing, or with a task that
/// cannot run here.
#[cold]
#[inline(never)]
fn exchange_for_none(current: &Task, answer: Option<Runnable>) {
    let ours = |next: &Runnable| core::ptr::eq(next.as_ptr(), current);
    let next = match answer {
        Some(wrong) if !ours(&wrong) => {
            drop(wrong); // Not lost.
            policy::pick(cpu::current_cpu(), None)
        }
        other => other,
    };
    match next {
        Some(next) if ours(&next) => {
            next.mark(State::Running);
            next.into_raw(); // The CPU's reference again.
        }
        Some(next) => switch_to(current, next.into_raw(), LEFT_IN_QUEUE),
        None => match per_cpu::idle() {
            // Before this CPU has its idle task, nothing else runs, so the task comes again.
            idle if idle.is_null() => current.mark(State::Running),
            idle => switch_to(current, idle, LEFT_IN_QUEUE),
        },
    }
}

/// Lets the policy know of a task that the current one has just made runnable, and lets that run if it
/// matters more. Interrupts must be off, and the current task be one that can be preempted here.
#[inline(always)] // Into what wakes.
pub(crate) fn exchange_for_woken(woken: Runnable) {
    let raw = per_cpu::current_raw();
    // SAFETY: the word is null, or the CPU's reference to its current task, which is kept until the
    // switch away from it is over.
    let current = match unsafe { raw.as_ref() } {
        Some(current) if current.kind != Kind::Idle => current,
        _ => return policy::enqueue(woken, Reason::Woken),
    };
    current.mark(State::Runnable);
    // SAFETY: the pointer came from `Arc::into_raw`, and that reference is now the policy's. The task
    // has just been made runnable, by the only CPU that runs it.
    let running = unsafe { Runnable::from_raw(raw) };
    let woken = policies::call(|policy| policy.wake(cpu::current_cpu(), running, woken));
    let (next, tell) = woken.into_parts();
    if !tell.is_empty() {
        tell.iter().for_each(cpu::reschedule);
    }
    match next {
        Some(next) if !next.is_on_cpu() => {
            cpu::clear_reschedule();
            account(current);
            switch_preemptible(current, next.into_raw(), LEFT_IN_QUEUE);
            current.requests.copy();
        }
        Some(next) if core::ptr::eq(next.as_ptr(), current) => {
            next.mark(State::Running);
            next.into_raw(); // The CPU's reference again.
        }
        other => {
            account(current);
            exchange_for_none(current, other);
        }
    }
}

/// Lets another task run, if there is one, instead of the idle task, or of one that may not run on this
/// CPU and comes into the queue of another when this one has left it. Whether another one has run.
fn make_way(current: &Task) -> bool {
    cpu::clear_reschedule();
    let cpu = cpu::current_cpu();
    let idles = current.kind == Kind::Idle;
    account(current);
    let left = (!idles).then_some(current);
    let next = policy::pick(cpu, left).or_else(|| policy::steal(cpu));
    let next = match next {
        Some(next) => next.into_raw(),
        None if idles => return false,
        None => per_cpu::idle(),
    };
    if !idles {
        current.mark(State::Runnable);
        current.words.give_queueing();
    }
    switch_to(current, next, LEFT_ALONE);
    true
}

/// Lets another task run until the current one, which is marked as blocked or ended, has been woken
/// and is picked again.
///
/// Interrupts must be off.
#[inline(always)]
fn leave(current: &Task) {
    cpu::clear_reschedule();
    account(current);
    let next = policies::call(|policy| policy.pick(cpu::current_cpu(), Some(current)));
    match next {
        Some(next) if !next.is_on_cpu() => switch_between(current, next.into_raw(), LEFT_ALONE),
        other => leave_for_none(current, other),
    }
}

/// As [`leave`], when the policy has answered with nothing, or with a task that cannot run here.
#[inline(never)]
fn leave_for_none(current: &Task, answer: Option<Runnable>) {
    let cpu = cpu::current_cpu();
    let next = match answer {
        Some(task) if policy::can_run_here(&task) => Some(task),
        Some(wrong) => {
            drop(wrong); // Not lost.
            policy::pick(cpu, None)
        }
        None => None,
    };
    let next = next.or_else(|| policy::steal(cpu));
    let next = next.map_or_else(per_cpu::idle, Runnable::into_raw);
    if next.is_null() {
        // Only possible before this CPU has its idle task, and then nothing else could run.
        current.set_state(State::Running);
    } else {
        switch_to(current, next, LEFT_ALONE);
    }
}

/// How a CPU has left a task: in a queue, which has the reference to it, or with the reference that the
/// CPU had. In the lowest bit of the task's address, in `cpu::leaving_task`.
pub(crate) const LEFT_IN_QUEUE: usize = 1;
const LEFT_ALONE: usize = 0;

/// Switches from `current` to `next`, with a reference, which no CPU runs and nobody else may let run.
fn switch_to(current: &Task, next: *const Task, left: usize) {
    // SAFETY: the reference that comes with the pointer is this CPU's.
    let to = unsafe { &*next };
    if to.kind == Kind::Idle || current.kind == Kind::Idle {
        note_idling(current, to);
    }
    switch_between(current, next, left);
    current.requests.copy();
}

/// As [`switch_to`], when neither is the idle task. The caller copies what `current` is asked for when it has
/// come back.
#[inline(always)]
fn switch_between(current: &Task, next: *const Task, left: usize) {
    if cpu::preemption_enabled() {
        switch_preemptible(current, next, left);
    } else {
        switch_with_preemption_off(current, next, left);
    }
}

/// As [`switch_between`], from a task that blocks although it has asked not to be preempted: it takes its
/// request along.
#[cold]
#[inline(never)]
fn switch_with_preemption_off(current: &Task, next: *const Task, left: usize) {
    let depth = cpu::preemption_depth();
    cpu::set_preemption_depth(0);
    switch_preemptible(current, next, left);
    cpu::set_preemption_depth(depth);
}

/// As [`switch_between`], from a task that has not asked not to be preempted. So no CPU ever comes to a task
/// with such a request.
#[inline(always)]
fn switch_preemptible(current: &Task, next: *const Task, left: usize) {
    // SAFETY: the reference that comes with the pointer is this CPU's from here on.
    let next = unsafe { &*next };
    next.mark(State::Running);
    next.words.enter_cpu();
    next.cpu.store(cpu::current_cpu().0, Ordering::Relaxed);
    per_cpu::set_current(next);
    cpu::set_leaving_task(core::ptr::from_ref(current) as usize | left);
    let save = current.saved_stack_pointer.as_ptr();
    let load = next.saved_stack_pointer.load(Ordering::Acquire);
    // SAFETY: interrupts are off; `save` lies in the task that is left, which is kept until the switch
    // is over: by the CPU's reference, or because it is marked as on this CPU and so runs nowhere.
    // `load` was stored when that task last left a CPU, or made for its fresh stack; no CPU is on that
    // stack, since an answer that is on one is refused.
    unsafe { switch::switch_stacks(save, load) };
    finish_switch();
}

/// Between a task and the idle task.
#[cold]
fn note_idling(current: &Task, next: &Task) {
    let idles = next.kind == Kind::Idle;
    per_cpu::set_idling(idles);
    if !idles {
        clock::resume();
        // Until it runs again; it is in no queue.
        current.mark(State::Blocked);
    }
}

/// Adds the time since the last switch to the task that is leaving, or going on.
#[inline(always)]
fn account(current: &Task) {
    let now = cpu::timestamp();
    let ran = now.wrapping_sub(cpu::switched_at());
    cpu::set_switched_at(now);
    // Only the CPU that runs a task counts its time.
    let cycles = current.cycles.load(Ordering::Relaxed);
    current
        .cycles
        .store(cycles.wrapping_add(ran), Ordering::Relaxed);
}

/// The first thing that a task does when it has got the CPU: lets go of the task before it.
#[inline(always)]
pub(crate) fn finish_switch() {
    let left = cpu::leaving_task();
    cpu::clear_leaving_task();
    if left & LEFT_IN_QUEUE != 0 {
        // SAFETY: the word has the address of the task that this CPU has just left, which is kept until
        // it is no more on it.
        let previous = unsafe { &*(left.wrapping_sub(LEFT_IN_QUEUE) as *const Task) };
        // From here on another CPU may run it, and end it.
        previous.words.leave_cpu_in_queue();
    } else {
        finish_leaving(left as *const Task);
    }
}

/// As [`finish_switch`], for a task that is in no queue; null for none.
#[inline(never)]
fn finish_leaving(previous: *const Task) {
    if previous.is_null() {
        return;
    }
    // SAFETY: the reference is the one that the CPU had while the task ran.
    let previous = unsafe { Arc::from_raw(previous) };
    let ended = previous.state() == State::Ended;
    // From here on a waker puts the task in a queue itself; one that came before has left it to us.
    previous.words.leave_cpu();
    see_off(previous, ended);
}

/// The end of [`finish_leaving`], and of a repair that has done the rest of it.
pub(crate) fn see_off(previous: Arc<Task>, ended: bool) {
    if ended {
        retire(previous);
    } else if previous.words.has_queueing() {
        queue(previous);
    }
}

#[cold]
#[inline(never)]
fn retire(previous: Arc<Task>) {
    builder::retire(previous);
}

#[cold]
#[inline(never)]
fn queue(previous: Arc<Task>) {
    previous.queue_if_left();
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
    frames::refill_spare();
    repair::make_up();
    timers::wake_due();
    requests::look();
    policy::requeue_strays();
    let since = cpu::switched_at();
    let wanted = with_current(|task| {
        let ran = cpu::timestamp().saturating_sub(since);
        // A tick also ends the wait of a kill for a task that never blocks.
        task.kind == Kind::Idle
            || kill::due(task)
            || policy::tick(task, ran)
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
            frames::refill_spare();
            if policy::has_strays() || repair::is_due() {
                clock::resume();
            } else {
                clock::rest(timers::next_ns());
            }
            cpu::wait_for_interrupt();
        }
        drop(off);
    }
}
