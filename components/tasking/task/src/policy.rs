//! Which task runs next: the interface to a policy, and the look at its answers.

use crate::{RunQueue, State, Task, task::Kind};
use alloc::sync::Arc;
use core::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};
use cpu::{CpuId, IrqMutex};

/// Decides which runnable task a CPU runs next.
///
/// The run queues are the policy's. All methods are called with interrupts off, may be called from
/// interrupt handlers and on several CPUs at once, and must not block.
pub trait SchedulingPolicy: Send + Sync {
    /// The policy's name.
    fn name(&self) -> &'static str;

    /// Takes a task that has become runnable; `cpu` is the one that says so.
    ///
    /// # Errors
    ///
    /// Gives the task back when it is in a queue already.
    fn enqueue(&self, cpu: CpuId, task: Arc<Task>, reason: Reason) -> Result<(), Arc<Task>>;

    /// Gives up the task that `cpu` is to run next; `None` when there is none.
    fn pick(&self, cpu: CpuId) -> Option<Arc<Task>>;

    /// Says at a timer tick whether the running task has had its share.
    fn tick(&self, cpu: CpuId, running: &Task) -> Answer;
}

/// Why a task has become runnable.
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
}

/// A policy's answer to a timer tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The running task goes on.
    Continue,
    /// Another one should run now.
    Preempt,
}

/// Why a policy could not be registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyError {
    /// A policy of this name is in use already.
    InUse {
        /// Its name.
        name: &'static str,
    },
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse { name } => write!(f, "scheduling policy \"{name}\" is in use already"),
        }
    }
}

impl core::error::Error for PolicyError {}

/// How many wrong answers in a row are looked at before the CPU idles.
const MAX_WRONG_ANSWERS: u32 = 16;

#[used]
static POLICY: IrqMutex<Option<&'static dyn SchedulingPolicy>> = IrqMutex::new(None);

/// Tasks that became runnable before there was a policy.
#[used]
static UNCLAIMED: IrqMutex<RunQueue> = IrqMutex::new(RunQueue::new());

#[used]
static REJECTED: AtomicU64 = AtomicU64::new(0);

fn current() -> Option<&'static dyn SchedulingPolicy> {
    *POLICY.lock()
}

/// Puts `policy` in charge; the tasks in the queues of the one before move over.
///
/// # Errors
///
/// When a policy of this name is in charge already.
pub fn register_policy(policy: &'static dyn SchedulingPolicy) -> Result<(), PolicyError> {
    let _off = cpu::InterruptsOff::new();
    let mut slot = POLICY.lock();
    let before = *slot;
    if let Some(before) = before.filter(|before| before.name() == policy.name()) {
        return Err(PolicyError::InUse {
            name: before.name(),
        });
    }
    *slot = Some(policy);
    drop(slot);
    let cpu = cpu::current_cpu();
    let next_unclaimed = || UNCLAIMED.lock().pop_front();
    let next = || next_unclaimed().or_else(|| before.and_then(|before| before.pick(cpu)));
    while let Some(task) = next() {
        enqueue(task, Reason::New);
    }
    Ok(())
}

/// The name of the policy in charge.
#[must_use]
pub fn policy_name() -> Option<&'static str> {
    current().map(SchedulingPolicy::name)
}

/// How many of the policy's answers named a task that could not run.
#[must_use]
pub fn rejected_answers() -> u64 {
    REJECTED.load(Ordering::Relaxed)
}

/// Hands a runnable task to the policy.
pub(crate) fn enqueue(task: Arc<Task>, reason: Reason) {
    if task.kind == Kind::Idle {
        return;
    }
    let _off = cpu::InterruptsOff::new();
    let refused = match current() {
        Some(policy) => policy.enqueue(cpu::current_cpu(), task, reason),
        None => UNCLAIMED.lock().push_back(task),
    };
    if refused.is_err() {
        REJECTED.fetch_add(1, Ordering::Relaxed);
    }
}

/// The task that this CPU is to run next, in state [`State::Running`]; `None` when there is none.
///
/// Interrupts must be off.
pub(crate) fn pick() -> Option<Arc<Task>> {
    let cpu = cpu::current_cpu();
    for _ in 0..MAX_WRONG_ANSWERS {
        let answer = match current() {
            Some(policy) => policy.pick(cpu),
            None => UNCLAIMED.lock().pop_front(),
        }?;
        // Only this change of state gives a task to a CPU, so no answer can make two CPUs run one
        // task, or run one that is blocked or has ended.
        if answer.kind != Kind::Idle && answer.change_state(State::Runnable, State::Running) {
            return Some(answer);
        }
        REJECTED.fetch_add(1, Ordering::Relaxed);
    }
    None
}

/// Whether the policy wants another task at this tick.
pub(crate) fn tick(running: &Task) -> bool {
    let answer = current().map(|policy| policy.tick(cpu::current_cpu(), running));
    answer.is_some_and(|answer| answer == Answer::Preempt)
}
