//! Making tasks and waiting for their end.

use crate::{
    Failure, Priority, Runnable, State, Streams, Task, TaskId, TaskName, block, catch, current,
    ending, info,
    policy::{self, Reason},
    safe_point, schedule, switch,
    task::{Kind, Parts},
    with_current,
};
use alloc::{boxed::Box, string::String, sync::Arc};
use core::{
    any::Any,
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};
use cpu::CpuSet;
use stacks::{Stack, StackError};

/// Stack of a task that asks for nothing else, in bytes.
pub const DEFAULT_STACK_SIZE: usize = 64 * 1024;

/// The smallest stack that a task can have, in bytes: a page.
pub const LEAST_STACK_SIZE: usize = 4096;

#[used]
static NEXT_ID: AtomicU64 = AtomicU64::new(0);

/// The number of the next task.
pub(crate) fn next_id() -> TaskId {
    TaskId(NEXT_ID.fetch_add(1, Ordering::Relaxed))
}

/// Why a task could not be made.
#[derive(Debug)]
pub enum SpawnError {
    /// The stack asked for is too small to begin on.
    StackSize {
        /// The task's name.
        name: String,
        /// Bytes asked for.
        size: usize,
    },
    /// There is no stack for it.
    Stack {
        /// The task's name.
        name: String,
        /// Why.
        error: StackError,
    },
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StackSize { name, size } => write!(
                f,
                "a stack of {size} bytes for task \"{name}\" is too small; {LEAST_STACK_SIZE} is the least"
            ),
            Self::Stack { name, error } => write!(f, "no stack for task \"{name}\": {error}"),
        }
    }
}

impl core::error::Error for SpawnError {}

/// A task to be.
#[must_use]
#[derive(Clone)]
pub struct Builder {
    name: TaskName,
    component: Option<Arc<str>>,
    stack_size: usize,
    streams: Option<Arc<dyn Streams>>,
    kind: Kind,
    cpus: CpuSet,
    priority: Option<Priority>,
    kept: Option<Kept>,
}

/// What must live as long as a task, such as the code that it runs.
pub type Kept = Arc<dyn Any + Send + Sync>;

impl Builder {
    /// A task of this name, with the default stack and the current task's streams, component and
    /// priority.
    pub fn new(name: impl Into<TaskName>) -> Self {
        Self {
            name: name.into(),
            component: None,
            stack_size: DEFAULT_STACK_SIZE,
            streams: None,
            kind: Kind::Ordinary,
            cpus: CpuSet::ALL,
            priority: None,
            kept: None,
        }
    }

    /// Gives it a stack of at least `bytes`, which must be [`LEAST_STACK_SIZE`] or more.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = bytes;
        self
    }

    /// Gives it streams of its own.
    pub fn streams(mut self, streams: Arc<dyn Streams>) -> Self {
        self.streams = Some(streams);
        self
    }

    /// Has it and the tasks that it spawns keep `kept` to their ends, but those that work for a component
    /// that their spawner names.
    pub fn keep(mut self, kept: Kept) -> Self {
        self.kept = Some(kept);
        self
    }

    /// Says for which component it works.
    pub fn component(mut self, name: impl Into<Arc<str>>) -> Self {
        self.component = Some(name.into());
        self
    }

    /// Says that the system depends on it, so that it cannot be killed.
    pub fn essential(mut self) -> Self {
        self.kind = Kind::Essential;
        self
    }

    /// Binds it to `cpus`, as far as they take part.
    pub fn cpus(mut self, cpus: CpuSet) -> Self {
        self.cpus = cpus;
        self
    }

    /// Says how much it matters.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = Some(priority);
        self
    }

    pub(crate) fn idle(mut self) -> Self {
        self.kind = Kind::Idle;
        self
    }

    /// Makes the task and lets it run `body`.
    ///
    /// # Errors
    ///
    /// When there is no memory for its stack.
    pub fn spawn(self, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle, SpawnError> {
        let task = self.build(Box::new(body))?;
        let off = cpu::InterruptsOff::new();
        info::enter(&task);
        // SAFETY: the task is made in state `Runnable`, and nobody else has heard of it.
        let runnable = unsafe { Runnable::new(Arc::clone(&task)) };
        policy::enqueue_within(&off, runnable, Reason::New);
        drop(off);
        Ok(JoinHandle { task })
    }

    /// Makes the task and puts it in no queue.
    pub(crate) fn build(self, body: crate::task::Body) -> Result<Arc<Task>, SpawnError> {
        if self.stack_size < LEAST_STACK_SIZE {
            return Err(SpawnError::StackSize {
                name: String::from(&*self.name),
                size: self.stack_size,
            });
        }
        let allocate = if self.kind == Kind::Idle {
            Stack::allocate_mapped
        } else {
            Stack::allocate
        };
        let stack = match allocate(self.stack_size) {
            Ok(stack) => stack,
            Err(error) => {
                return Err(SpawnError::Stack {
                    name: String::from(&*self.name),
                    error,
                });
            }
        };
        let stack_range = stack.range();
        // SAFETY: the stack is fresh, mapped, at least a page long, and ours.
        let saved_stack_pointer = unsafe { switch::prepare(stack_range.end) };
        let around = with_current(|task| task.kept()).flatten();
        let kept = match (self.kept, around) {
            // The streams that it is given may be its spawner's code.
            (Some(own), Some(around)) => Some(Arc::new((own, around)) as Kept),
            (None, around) if self.component.is_none() => around,
            (own, _) => own,
        };
        let component = self
            .component
            .or_else(|| with_current(|task| Arc::clone(&task.component)))
            .unwrap_or_default();
        Ok(Arc::new(Task::new(Parts {
            id: next_id(),
            name: self.name,
            component,
            kind: self.kind,
            cpus: self.cpus,
            priority: self
                .priority
                .or_else(|| with_current(|task| task.priority()))
                .unwrap_or_default(),
            state: State::Runnable,
            stack_range,
            stack_mapped: stack.mapped_from(),
            stack: Some(stack),
            saved_stack_pointer,
            body: Some(body),
            streams: self
                .streams
                .or_else(|| with_current(|task| task.streams_to_inherit()).flatten()),
            kept,
        })))
    }
}

/// Makes a task of this name that runs `body`.
///
/// # Errors
///
/// When there is no memory for its stack.
pub fn spawn(
    name: impl Into<TaskName>,
    body: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle, SpawnError> {
    Builder::new(name).spawn(body)
}

/// The right to learn how a task ended. Dropping it lets the task run on.
///
/// It is a value: whoever has it may wait for the task, and need not have made it. Passing it on, to another
/// task or through a channel, passes that right on, and leaves none behind.
#[derive(Debug)]
pub struct JoinHandle {
    task: Arc<Task>,
}

impl JoinHandle {
    /// The task.
    #[must_use]
    pub const fn task(&self) -> &Arc<Task> {
        &self.task
    }

    /// The task's number.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.task.id()
    }

    /// Whether the task has ended and its stack is left.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.task.ending.lock().over
    }

    /// How the task ended, if it has and its stack is left.
    pub(crate) fn result(&self) -> Option<Result<(), Failure>> {
        let ending = self.task.ending.lock();
        let result = || ending.result.clone().unwrap_or(Ok(()));
        ending.over.then(result)
    }

    /// Waits until the task has ended; its stack is free when this returns. A safe point.
    ///
    /// # Errors
    ///
    /// The failure that ended the task.
    ///
    /// # Panics
    ///
    /// When it is the current task's own end.
    pub fn join(self) -> Result<(), Failure> {
        self.wait();
        ending::release(&self.task);
        // Taken out only if there is a failure, which is large.
        let mut ending = self.task.ending.lock();
        match &ending.result {
            Some(Err(_)) => ending.result.take().unwrap_or(Ok(())),
            _ => Ok(()),
        }
    }

    /// Waits until the task has ended. A safe point.
    ///
    /// # Panics
    ///
    /// When it is the current task's own end.
    pub fn wait(&self) {
        while self.enlist() {
            let listed = Listed(self);
            block();
            drop(listed);
            safe_point();
        }
    }

    /// Like [`JoinHandle::wait`], and goes on with it when a fault has hit the wait itself: for whoever the
    /// task depends on. A safe point.
    ///
    /// # Panics
    ///
    /// When it is the current task's own end.
    pub fn wait_through_faults(&self) {
        with_current(|me| self.check_not_own(me));
        while catch(&mut || self.wait()).is_err() {
            // It has been reported. A kill is no fault.
            safe_point();
        }
    }

    /// Puts the current task among those that wait, unless the end has come; whether it has not.
    fn enlist(&self) -> bool {
        let Some(me) = current() else { return false };
        self.check_not_own(&me);
        let mut ending = self.task.ending.lock();
        if ending.over {
            return false;
        }
        // Refused only when it is in a list already, and then it looks again after the block.
        let _ = ending.waiters.push_back(me);
        true
    }

    fn check_not_own(&self, me: &Task) {
        if core::ptr::eq(&raw const *self.task, me) {
            waits_for_itself(me);
        }
    }
}

/// The current task wants to wait for its own end.
#[cold]
#[expect(clippy::panic, reason = "the alternative is to wait for ever")]
fn waits_for_itself(me: &Task) -> ! {
    panic!("task {} \"{}\" waits for its own end", me.id(), me.name())
}

/// The current task may be among those that wait for another one's end. Dropping it takes it out.
struct Listed<'a>(&'a JoinHandle);

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        let removed = with_current(|me| self.0.task.ending.lock().waiters.remove(me));
        drop(removed);
    }
}

impl Drop for JoinHandle {
    fn drop(&mut self) {
        let over = {
            let mut ending = self.task.ending.lock();
            ending.detached = true;
            ending.over
        };
        if over {
            ending::release(&self.task);
        }
    }
}

/// Runs the body of the current task, which has just begun, and ends the task.
pub(crate) fn run_current() -> ! {
    let mut body = with_current(|task| task.body.lock().take()).flatten();
    let mut result = catch(&mut || {
        if let Some(body) = body.take() {
            safe_point(); // It may have been killed before it began.
            body();
        }
    });
    drop(body);
    // Not handed on by value: a failure is large.
    if let Err(failure) = drop_locals()
        && result.is_ok()
    {
        result = Err(failure);
    }
    with_current(|task| task.forget_streams());
    // In a catch: it may unload the code that the task ran. A failure of that has been reported.
    let _ = catch(&mut || drop(with_current(|task| task.take_kept())));
    with_current(|task| {
        let mut ending = task.ending.lock();
        match result {
            Ok(()) => ending.result = Some(Ok(())),
            Err(failure) => ending.result = Some(Err(failure)),
        }
    });
    schedule::leave_for_ever()
}

/// Drops what the current task has of [`crate::TaskLocal`]s; how that failed, if it did.
fn drop_locals() -> Result<(), Failure> {
    with_current(|task| task.locals.drop_all()).unwrap_or(Ok(()))
}

/// The last switch away from `task` is over: tells those who wait, and leaves the rest to whoever has
/// the handle, or else to the reaper. Interrupts must be off, and this may allocate nothing.
pub(crate) fn retire(task: Arc<Task>) {
    info::leave(&task);
    let (mut waiters, detached) = {
        let mut ending = task.ending.lock();
        ending.over = true;
        (core::mem::take(&mut ending.waiters), ending.detached)
    };
    if detached {
        return ending::hand_to_reaper(task);
    }
    // Before those who wait hear of it, so that the last reference is not this one.
    let waiter = waiters.pop_front();
    drop(task);
    if let Some(waiter) = waiter {
        waiter.unblock();
    }
    while let Some(waiter) = waiters.pop_front() {
        waiter.unblock();
    }
}
