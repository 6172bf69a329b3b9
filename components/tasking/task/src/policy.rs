//! Which task runs next: the interface to a policy, and the look at its answers.

use crate::{RunQueue, Runnable, Task, per_cpu, policies, schedule};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use cpu::{CpuId, CpuSet, IrqMutex};

/// Decides which runnable task a CPU runs next.
///
/// The run queues are the policy's. All methods are called with interrupts off, may be called from
/// interrupt handlers and on several CPUs at once, and must not block; the only locks that they may
/// wait for are [`cpu::IrqMutex`]es of their own.
///
/// A task that stays runnable when it gives up a CPU is put in a queue while that CPU is still on its
/// stack, and so is for that CPU alone as long as [`Task::is_on_cpu`]: [`SchedulingPolicy::steal`]
/// leaves it.
///
/// A [`Runnable`] that is dropped is queued again at a timer tick. Time is in ticks of the time-stamp
/// counter.
pub trait SchedulingPolicy: Send + Sync {
    /// The policy's name.
    fn name(&self) -> &'static str;

    /// Takes a task that has become runnable; `cpu` is the one that says so.
    fn enqueue(&self, cpu: CpuId, task: Runnable, reason: Reason) -> Placed;

    /// Takes the task that `cpu` runs and that could go on, and gives up the one that is to run now,
    /// which may be the same. With `None` the CPU idles. The reason is [`Reason::Yielded`] or
    /// [`Reason::Preempted`].
    fn exchange(&self, cpu: CpuId, running: Runnable, reason: Reason) -> Option<Runnable>;

    /// Takes `woken`, which `running` has made runnable on `cpu`, and gives up the one of them, or of those
    /// that wait, that is to run there now: [`SchedulingPolicy::enqueue`], and
    /// [`SchedulingPolicy::exchange`] if that says so. A policy may have a shorter way.
    fn wake(&self, cpu: CpuId, running: Runnable, woken: Runnable) -> Woken {
        let placed = self.enqueue(cpu, woken, Reason::Woken);
        let next = if placed.preempts && placed.cpu == cpu {
            self.exchange(cpu, running, Reason::Preempted)
        } else {
            Some(running)
        };
        Woken::elsewhere(cpu, next, placed)
    }

    /// Gives up the task that `cpu` is to run next; `None` when there is none. The one that it ran
    /// before is `left`, unless it idled; that task does not go on.
    fn pick(&self, cpu: CpuId, left: Option<&Task>) -> Option<Runnable>;

    /// Gives up a task that waits for another CPU, because `cpu` would idle otherwise.
    fn steal(&self, cpu: CpuId) -> Option<Runnable> {
        let _ = cpu;
        None
    }

    /// Says at a timer tick whether the running task, which has run for `ran` ticks of the time-stamp
    /// counter, has had its share.
    fn tick(&self, cpu: CpuId, running: &Task, ran: u64) -> Answer;

    /// Gives up any task that waits for `cpu`, because another policy takes over. All other CPUs stand
    /// still, and none of them is inside this policy.
    fn give_up(&self, cpu: CpuId) -> Option<Runnable>;

    /// Forgets all tasks that wait, without a look at them: a fault has hit the scheduler, and nothing that
    /// links them is to be believed. They come again through [`SchedulingPolicy::enqueue`]; the words of all
    /// tasks have been cleared. All other CPUs stand still, and none of them is inside this policy.
    fn forget_all(&self);
}

/// Why a task has become runnable, or has given up a CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is new.
    New,
    /// It was blocked and has been woken.
    Woken,
    /// It gave up the CPU of its own will.
    Yielded,
    /// It was preempted.
    Preempted,
    /// It waited for this CPU in a queue of the policy that was in charge before.
    Moved,
}

/// What a policy has done with a task that has become runnable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The CPU that is to run it, which is told if it idles.
    pub cpu: CpuId,
    /// Whether it should run at once, instead of what that CPU runs.
    pub preempts: bool,
}

/// What a policy has done with a task that has been woken by one that runs.
#[derive(Debug)]
pub struct Woken {
    next: Option<Runnable>,
    /// The CPUs that are to look for a better task.
    tell: CpuSet,
}

impl Woken {
    /// `next` is to run where the waker did (`None` lets that CPU idle), and the woken one is in a queue
    /// of that CPU, or runs now.
    #[must_use]
    #[inline(always)]
    pub const fn here(next: Option<Runnable>) -> Self {
        Self {
            next,
            tell: CpuSet::EMPTY,
        }
    }

    /// The same, and the woken one has been placed as `placed` says, by `cpu`.
    #[must_use]
    pub fn elsewhere(cpu: CpuId, next: Option<Runnable>, placed: Placed) -> Self {
        let told = placed.cpu != cpu && is_to_be_told(placed);
        let tell = if told {
            CpuSet::of(placed.cpu)
        } else {
            CpuSet::EMPTY
        };
        Self { next, tell }
    }

    #[inline(always)]
    pub(crate) fn into_parts(self) -> (Option<Runnable>, CpuSet) {
        (self.next, self.tell)
    }
}

/// Whether the CPU that is to run a task must hear of it.
fn is_to_be_told(placed: Placed) -> bool {
    placed.preempts || per_cpu::idle_cpus().contains(placed.cpu)
}

/// A policy's answer to a timer tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The running task goes on.
    Continue,
    /// Another one should run now.
    Preempt,
}

/// How many wrong answers in a row are looked at before the CPU idles.
const MAX_WRONG_ANSWERS: u32 = 16;

#[used]
static REJECTED: AtomicU64 = AtomicU64::new(0);

/// How many tasks the policies have dropped, or given to a CPU while another one was on their stacks.
#[must_use]
pub fn rejected_answers() -> u64 {
    REJECTED.load(Ordering::Relaxed)
}

/// Hands a runnable task to the policy, and tells the CPU that is to run it if that idles or runs
/// something that matters less.
pub(crate) fn enqueue(task: Runnable, reason: Reason) {
    enqueue_within(&cpu::InterruptsOff::new(), task, reason);
}

/// As [`enqueue`], within a section without interrupts in which the task has also become runnable: a task
/// that is runnable and in no queue for longer is taken for lost ([`crate::requeue_lost`]).
pub(crate) fn enqueue_within(off: &cpu::InterruptsOff, task: Runnable, reason: Reason) {
    let cpu = cpu::current_cpu();
    let placed = policies::call(|policy| policy.enqueue(cpu, task, reason));
    if is_to_be_told(placed) {
        cpu::reschedule(placed.cpu);
    }
    // An interrupt's end would look at the request; where there is none, this is the place.
    if placed.preempts && placed.cpu == cpu && off.were_enabled() {
        schedule::preempt_here();
    }
}

fn reject() {
    REJECTED.fetch_add(1, Ordering::Relaxed);
}

/// The task that this CPU is to run next, after `left`, or from the idle task; `None` when the policy
/// names none.
///
/// Interrupts must be off.
pub(crate) fn pick(cpu: CpuId, left: Option<&Task>) -> Option<Runnable> {
    let mut left = left;
    first_that_can_run(|| policies::call(|policy| policy.pick(cpu, left.take())))
}

/// As [`pick`], from what waits for other CPUs.
pub(crate) fn steal(cpu: CpuId) -> Option<Runnable> {
    if cpu::alone() {
        return None;
    }
    first_that_can_run(|| policies::call(|policy| policy.steal(cpu)))
}

#[inline]
fn first_that_can_run(mut answer: impl FnMut() -> Option<Runnable>) -> Option<Runnable> {
    for _ in 0..MAX_WRONG_ANSWERS {
        let task = answer()?;
        if can_run_here(&task) {
            return Some(task);
        }
        // Dropping it keeps it until its stack has been left.
    }
    None
}

/// Whether no other CPU is on the task's stack. Waiting until none is could be for ever, if that CPU
/// waited for this one.
#[inline]
pub(crate) fn can_run_here(task: &Runnable) -> bool {
    !task.is_on_cpu() || core::ptr::eq(task.as_ptr(), per_cpu::current_raw())
}

/// Tasks that a policy has dropped, or has given to one CPU while another one was still on their stacks.
#[used]
static STRAYS: IrqMutex<RunQueue> = IrqMutex::new(RunQueue::new());

/// Whether there are any.
#[used]
static STRAYED: AtomicBool = AtomicBool::new(false);

/// Keeps a task that would be lost.
pub(crate) fn keep_stray(task: Runnable) {
    let _off = cpu::InterruptsOff::new();
    reject();
    // On its way: as inside a policy.
    let inside = &cpu::local().inside_policy;
    let was_inside = inside.swap(true, Ordering::Relaxed);
    STRAYS.lock().push_back(task);
    STRAYED.store(true, Ordering::SeqCst);
    inside.store(was_inside, Ordering::Relaxed);
}

/// Forgets all strays without a look at them.
pub(crate) fn forget_strays() {
    core::mem::forget(core::mem::take(&mut *STRAYS.lock()));
}

/// Whether there are strays, which the next tick puts back in a queue.
pub(crate) fn has_strays() -> bool {
    STRAYED.load(Ordering::SeqCst)
}

/// Puts strays back in a queue; at a timer tick.
#[inline]
pub(crate) fn requeue_strays() {
    if STRAYED.load(Ordering::Relaxed) {
        requeue_all_strays();
    }
}

#[cold]
fn requeue_all_strays() {
    STRAYED.store(false, Ordering::SeqCst);
    let mut strays = core::mem::take(&mut *STRAYS.lock());
    while let Some(task) = strays.pop_front() {
        // One whose stack is in use strays on.
        if !task.is_on_cpu() {
            enqueue(task, Reason::Woken);
        }
    }
}

/// Whether the policy wants another task at this tick.
pub(crate) fn tick(running: &Task, ran: u64) -> bool {
    let cpu = cpu::current_cpu();
    policies::call(|policy| policy.tick(cpu, running, ran)) == Answer::Preempt
}
