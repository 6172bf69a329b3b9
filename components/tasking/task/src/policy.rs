//! Which task runs next: the interface to a policy, and the look at its answers.

use crate::{RunQueue, State, Task, per_cpu, task::Kind};
use alloc::sync::Arc;
use core::{
    fmt,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};
use cpu::{CpuId, IrqMutex};
use spin::Once;

/// Decides which runnable task a CPU runs next.
///
/// The run queues are the policy's. All methods are called with interrupts off, may be called from
/// interrupt handlers and on several CPUs at once, and must not block. A task in a queue runs nowhere:
/// one that gives up a CPU is handed over when the switch away from it is done.
pub trait SchedulingPolicy: Send + Sync {
    /// The policy's name.
    fn name(&self) -> &'static str;

    /// Takes a task that has become runnable; `cpu` is the one that says so. Answers with the CPU
    /// that is to run it, which is told if it idles.
    ///
    /// # Errors
    ///
    /// Gives the task back when it is in a queue already.
    fn enqueue(&self, cpu: CpuId, task: Arc<Task>, reason: Reason) -> Result<CpuId, Arc<Task>>;

    /// Gives up the task that `cpu` is to run next; `None` when there is none, or none that should
    /// take the place of the one that `cpu` runs.
    fn pick(&self, cpu: CpuId) -> Option<Arc<Task>>;

    /// Gives up a task that waits for another CPU, because `cpu` would idle otherwise.
    fn steal(&self, cpu: CpuId) -> Option<Arc<Task>> {
        let _ = cpu;
        None
    }

    /// Says at a timer tick whether the running task has had its share.
    fn tick(&self, cpu: CpuId, running: &Task) -> Answer;
}

/// Why a task has become runnable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// It is new.
    New = 1,
    /// It was blocked and has been woken.
    Woken,
    /// It gave up the CPU of its own will.
    Yielded,
    /// It was preempted.
    Preempted,
}

impl Reason {
    pub(crate) const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::New),
            2 => Some(Self::Woken),
            3 => Some(Self::Yielded),
            4 => Some(Self::Preempted),
            _ => None,
        }
    }
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
    /// There have been too many different ones.
    TooMany,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse { name } => write!(f, "scheduling policy \"{name}\" is in use already"),
            Self::TooMany => write!(
                f,
                "there have been {MOST_POLICIES} scheduling policies already"
            ),
        }
    }
}

impl core::error::Error for PolicyError {}

/// How many wrong answers in a row are looked at before the CPU idles.
const MAX_WRONG_ANSWERS: u32 = 16;

/// How many different policies can be registered between two starts of the system.
const MOST_POLICIES: usize = 16;

/// No policy yet, as an index.
const NO_POLICY: usize = usize::MAX;

/// The policies that were ever registered; one that comes back has its old place.
#[used]
static POLICIES: [Once<&'static dyn SchedulingPolicy>; MOST_POLICIES] =
    [const { Once::new() }; MOST_POLICIES];

/// Which one is in charge. Read at every switch, so without a lock.
#[used]
static IN_CHARGE: AtomicUsize = AtomicUsize::new(NO_POLICY);

/// One registration at a time.
#[used]
static REGISTERING: IrqMutex<()> = IrqMutex::new(());

/// Tasks that became runnable before there was a policy.
#[used]
static UNCLAIMED: IrqMutex<RunQueue> = IrqMutex::new(RunQueue::new());

#[used]
static REJECTED: AtomicU64 = AtomicU64::new(0);

fn current() -> Option<&'static dyn SchedulingPolicy> {
    policy(IN_CHARGE.load(Ordering::Acquire))
}

fn policy(index: usize) -> Option<&'static dyn SchedulingPolicy> {
    POLICIES.get(index)?.get().copied()
}

/// Puts `policy` in charge; the tasks in the queues of the one before move over.
///
/// # Errors
///
/// When a policy of this name is in charge already, or there have been too many.
pub fn register_policy(policy: &'static dyn SchedulingPolicy) -> Result<(), PolicyError> {
    let name = policy.name();
    let _one = REGISTERING.lock();
    if current().is_some_and(|before| before.name() == name) {
        return Err(PolicyError::InUse { name });
    }
    let place = POLICIES
        .iter()
        .position(|place| place.call_once(|| policy).name() == name)
        .ok_or(PolicyError::TooMany)?;
    let before = IN_CHARGE.swap(place, Ordering::SeqCst);
    move_over(before);
    Ok(())
}

/// Hands all that waits in the queues of a policy that is not in charge to the one that is.
fn move_over(index: usize) {
    let left = || match policy(index) {
        Some(policy) => (0..u64::BITS)
            .map(CpuId)
            .find_map(|cpu| policy.pick(cpu).or_else(|| policy.steal(cpu))),
        None => UNCLAIMED.lock().pop_front(),
    };
    while let Some(task) = left() {
        enqueue(task, Reason::New);
    }
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

/// Hands a runnable task to the policy, and tells the CPU that is to run it if that idles.
pub(crate) fn enqueue(task: Arc<Task>, reason: Reason) {
    if task.kind == Kind::Idle {
        return;
    }
    let _off = cpu::InterruptsOff::new();
    let index = IN_CHARGE.load(Ordering::SeqCst);
    let cpu = cpu::current_cpu();
    let answer = match policy(index) {
        Some(policy) => policy.enqueue(cpu, task, reason),
        None => UNCLAIMED.lock().push_back(task).map(|()| cpu),
    };
    match answer {
        Ok(cpu) => per_cpu::wake_if_idle(cpu),
        Err(_) => {
            REJECTED.fetch_add(1, Ordering::Relaxed);
        }
    }
    // A policy that lost its charge meanwhile may have been emptied before the task came.
    if IN_CHARGE.load(Ordering::SeqCst) != index {
        move_over(index);
    }
}

/// The task that this CPU is to run next, in state [`State::Running`]; `None` when there is none.
///
/// Interrupts must be off.
pub(crate) fn pick() -> Option<Arc<Task>> {
    let cpu = cpu::current_cpu();
    first_runnable(|| match current() {
        Some(policy) => policy.pick(cpu),
        None => UNCLAIMED.lock().pop_front(),
    })
}

/// As [`pick`], from what waits for other CPUs.
pub(crate) fn steal() -> Option<Arc<Task>> {
    if cpu::alone() {
        return None;
    }
    let cpu = cpu::current_cpu();
    first_runnable(|| current()?.steal(cpu))
}

fn first_runnable(answer: impl Fn() -> Option<Arc<Task>>) -> Option<Arc<Task>> {
    for _ in 0..MAX_WRONG_ANSWERS {
        let answer = answer()?;
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
