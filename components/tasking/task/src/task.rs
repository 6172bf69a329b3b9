//! What a task is.

use crate::{Failure, NullStreams, Streams, WaitList, locks::HeldLocks, policy};
use alloc::{boxed::Box, string::String, sync::Arc};
use core::{
    fmt,
    sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering},
};
use cpu::{CpuId, CpuSet, IrqMutex};
use handover::VirtualRange;
use intrusive_collections::LinkedListAtomicLink;
use stacks::Stack;

/// The number of a task; never used again in one run of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub u64);

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What a task is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// Waits for a CPU, in a policy's queue or on its way there.
    Runnable = 0,
    /// Runs on a CPU.
    Running = 1,
    /// Waits to be unblocked.
    Blocked = 2,
    /// Has ended.
    Ended = 3,
}

impl State {
    const fn from_number(number: u8) -> Self {
        match number {
            0 => Self::Runnable,
            1 => Self::Running,
            2 => Self::Blocked,
            _ => Self::Ended,
        }
    }

    /// The state's name, as `ps` prints it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Runnable => "runnable",
            Self::Running => "running",
            Self::Blocked => "blocked",
            Self::Ended => "ended",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a task runs.
pub(crate) type Body = Box<dyn FnOnce() + Send>;

/// One flow of control.
pub struct Task {
    pub(crate) id: TaskId,
    pub(crate) name: String,
    pub(crate) component: String,
    pub(crate) kind: Kind,
    cpus: CpuSet,
    state: AtomicU8,
    /// A wake-up that the task has not seen yet.
    pub(crate) wake_up: AtomicBool,
    /// Whether a CPU runs it or has not yet finished switching away from it.
    pub(crate) on_cpu: AtomicBool,
    /// Whether it has been woken while a CPU was still switching away from it, and whoever finds that
    /// done first is to put it in a queue.
    pub(crate) queue_later: AtomicBool,
    /// The CPU that it last ran on.
    pub(crate) cpu: AtomicU32,
    /// Stack pointer while it does not run.
    pub(crate) saved_stack_pointer: AtomicUsize,
    pub(crate) stack_range: VirtualRange,
    pub(crate) stack: IrqMutex<Option<Stack>>,
    /// Whether `stack` has been freed.
    pub(crate) stack_is_free: AtomicBool,
    pub(crate) body: IrqMutex<Option<Body>>,
    pub(crate) cycles: AtomicU64,
    pub(crate) deadline_ns: AtomicU64,
    pub(crate) killed: AtomicBool,
    /// How often it has been interrupted since then without ending.
    pub(crate) chances: AtomicU32,
    /// How many reasons there are to put a kill off.
    pub(crate) kill_deferrals: AtomicU32,
    /// How many [`crate::Hold`]s keep the task from blocking.
    pub(crate) holds: AtomicU32,
    /// Whether it stands still for one.
    pub(crate) stands_still: AtomicBool,
    pub(crate) locks: HeldLocks,
    /// How many unwindings of this task have begun and not arrived at their catch.
    unwinding: AtomicU32,
    /// The innermost catch; owned by the unwinder.
    catch: AtomicUsize,
    streams: IrqMutex<Arc<dyn Streams>>,
    pub(crate) ending: IrqMutex<Ending>,
    pub(crate) run_link: LinkedListAtomicLink,
    pub(crate) wait_link: LinkedListAtomicLink,
    pub(crate) timer_link: LinkedListAtomicLink,
    pub(crate) table_link: LinkedListAtomicLink,
}

/// What an unwinding changes of a task besides its stack.
#[derive(Clone, Copy, Debug)]
pub struct UnwindState {
    unwinding: u32,
    kill_deferrals: u32,
    lock_ranks: u64,
}

/// What a task is to the scheduler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Belongs to a policy's queue.
    Ordinary,
    /// Like an ordinary one, but the system depends on it: it cannot be killed.
    Essential,
    /// Runs when nothing else does; in no queue.
    Idle,
}

/// How the task ended and who waits for that.
#[derive(Default)]
pub(crate) struct Ending {
    /// How it ended, once its body is done.
    pub(crate) result: Option<Result<(), Failure>>,
    /// Whether the last switch away from it is over.
    pub(crate) over: bool,
    pub(crate) waiters: WaitList,
}

/// What is needed to make a [`Task`].
pub(crate) struct Parts {
    pub(crate) id: TaskId,
    pub(crate) name: String,
    pub(crate) component: String,
    pub(crate) kind: Kind,
    pub(crate) cpus: CpuSet,
    pub(crate) state: State,
    pub(crate) stack_range: VirtualRange,
    pub(crate) stack: Option<Stack>,
    pub(crate) saved_stack_pointer: usize,
    pub(crate) body: Option<Body>,
    pub(crate) streams: Arc<dyn Streams>,
}

impl Task {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            id: parts.id,
            name: parts.name,
            component: parts.component,
            kind: parts.kind,
            cpus: parts.cpus,
            state: AtomicU8::new(parts.state as u8),
            wake_up: AtomicBool::new(false),
            on_cpu: AtomicBool::new(parts.state == State::Running),
            queue_later: AtomicBool::new(false),
            cpu: AtomicU32::new(0),
            saved_stack_pointer: AtomicUsize::new(parts.saved_stack_pointer),
            stack_range: parts.stack_range,
            stack_is_free: AtomicBool::new(parts.stack.is_none()),
            stack: IrqMutex::new(parts.stack),
            body: IrqMutex::new(parts.body),
            cycles: AtomicU64::new(0),
            deadline_ns: AtomicU64::new(0),
            killed: AtomicBool::new(false),
            chances: AtomicU32::new(0),
            kill_deferrals: AtomicU32::new(0),
            holds: AtomicU32::new(0),
            stands_still: AtomicBool::new(false),
            locks: HeldLocks::new(),
            unwinding: AtomicU32::new(0),
            catch: AtomicUsize::new(0),
            streams: IrqMutex::new(parts.streams),
            ending: IrqMutex::new(Ending::default()),
            run_link: LinkedListAtomicLink::new(),
            wait_link: LinkedListAtomicLink::new(),
            timer_link: LinkedListAtomicLink::new(),
            table_link: LinkedListAtomicLink::new(),
        }
    }

    /// The task's number.
    #[must_use]
    pub const fn id(&self) -> TaskId {
        self.id
    }

    /// The task's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The component that the task was made for.
    #[must_use]
    pub fn component(&self) -> &str {
        &self.component
    }

    /// What the task is doing.
    #[must_use]
    pub fn state(&self) -> State {
        State::from_number(self.state.load(Ordering::SeqCst))
    }

    pub(crate) fn set_state(&self, state: State) {
        self.state.store(state as u8, Ordering::SeqCst);
    }

    /// Goes from one state to another if the task is in the first.
    pub(crate) fn change_state(&self, from: State, to: State) -> bool {
        self.state
            .compare_exchange(from as u8, to as u8, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }

    /// Makes the task runnable if it is blocked; otherwise its next [`crate::block`] returns at
    /// once. May be called from an interrupt handler.
    pub fn unblock(self: &Arc<Self>) {
        if self.is_ours_to_queue() {
            policy::enqueue(Arc::clone(self), policy::Reason::Woken);
        }
    }

    /// As [`Task::unblock`], for who needs its reference no more.
    pub fn wake(self: Arc<Self>) {
        if self.is_ours_to_queue() {
            policy::enqueue(self, policy::Reason::Woken);
        }
    }

    /// Notes a wake-up; whether the task has become runnable by it and the caller is to put it in a
    /// queue.
    #[inline]
    fn is_ours_to_queue(&self) -> bool {
        self.wake_up.store(true, Ordering::SeqCst);
        if !self.change_state(State::Blocked, State::Runnable) {
            return false;
        }
        if !self.on_cpu.load(Ordering::SeqCst) {
            return true;
        }
        // Its stack is still in use. Two CPUs that waited here for the stacks of each other's tasks
        // would do so for ever, so the one that leaves it puts it in a queue, unless it has just left.
        self.queue_later.store(true, Ordering::SeqCst);
        !self.on_cpu.load(Ordering::SeqCst) && self.queue_later.swap(false, Ordering::SeqCst)
    }

    /// Puts the task in a queue if that has been left to whoever calls this first.
    pub(crate) fn queue_if_left(self: &Arc<Self>) {
        if self.queue_later.swap(false, Ordering::SeqCst) {
            policy::enqueue(Arc::clone(self), policy::Reason::Woken);
        }
    }

    /// Whether the task has been asked to end.
    #[must_use]
    #[inline]
    pub fn is_killed(&self) -> bool {
        self.killed.load(Ordering::SeqCst)
    }

    /// The memory of its stack, without guard.
    #[must_use]
    pub const fn stack_range(&self) -> VirtualRange {
        self.stack_range
    }

    /// The stack pointer that its last switch saved; what the registers of a task that does not run
    /// lie above.
    #[must_use]
    pub fn saved_stack_pointer(&self) -> u64 {
        self.saved_stack_pointer.load(Ordering::Acquire) as u64
    }

    /// Whether `address` lies in the guard below the task's stack.
    #[must_use]
    pub fn guard_contains(&self, address: u64) -> bool {
        self.with_stack(|stack| stack.guard_contains(address))
            .unwrap_or(false)
    }

    /// Runs `operation` on the task's stack, if it has one of its own.
    ///
    /// Never waits, since exceptions ask from anywhere: somebody else uses the stack value only when
    /// it frees the stack of a task that has ended.
    pub fn with_stack<R>(&self, operation: impl FnOnce(&mut Stack) -> R) -> Option<R> {
        self.stack.try_lock()?.as_mut().map(operation)
    }

    /// Whether the system depends on the task.
    #[must_use]
    pub fn is_essential(&self) -> bool {
        self.kind != Kind::Ordinary
    }

    /// Where the task reads from and writes to.
    #[must_use]
    pub fn streams(&self) -> Arc<dyn Streams> {
        Arc::clone(&self.streams.lock())
    }

    /// Lets the task read from and write to somewhere else.
    pub fn set_streams(&self, streams: Arc<dyn Streams>) {
        let before = core::mem::replace(&mut *self.streams.lock(), streams);
        drop(before); // Not under the lock: the last reference may run anybody's code.
    }

    pub(crate) fn forget_streams(&self) {
        self.set_streams(Arc::new(NullStreams));
    }

    /// Whether the task is being unwound.
    #[must_use]
    pub fn is_unwinding(&self) -> bool {
        self.unwinding.load(Ordering::Relaxed) != 0
    }

    /// Counts an unwinding that begins. For the unwinder.
    pub fn enter_unwinding(&self) -> u32 {
        self.unwinding.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// What an unwinding changes besides the stack. For the unwinder.
    #[must_use]
    pub fn unwind_state(&self) -> UnwindState {
        UnwindState {
            unwinding: self.unwinding.load(Ordering::Relaxed),
            kill_deferrals: self.kill_deferrals.load(Ordering::Relaxed),
            lock_ranks: self.locks.ranks(),
        }
    }

    /// Puts it back. For the unwinder, when an unwinding arrives at its catch.
    pub fn set_unwind_state(&self, state: UnwindState) {
        self.unwinding.store(state.unwinding, Ordering::Relaxed);
        self.kill_deferrals
            .store(state.kill_deferrals, Ordering::Relaxed);
        self.locks.set_ranks(state.lock_ranks);
    }

    /// The number of unwindings under way.
    #[must_use]
    pub fn unwinding(&self) -> u32 {
        self.unwinding.load(Ordering::Relaxed)
    }

    /// The word that the unwinder keeps for its innermost catch.
    #[must_use]
    pub const fn catch_word(&self) -> &AtomicUsize {
        &self.catch
    }

    /// A reference to the task, from a borrow of it.
    ///
    /// Every task lives in an `Arc`, since nothing outside this crate can make one.
    pub(crate) fn reference(&self) -> Arc<Self> {
        // SAFETY: the task lies in an `Arc`, which the borrow keeps alive.
        unsafe { Arc::increment_strong_count(self) };
        // SAFETY: the reference counted above is the one that this takes.
        unsafe { Arc::from_raw(self) }
    }

    /// Whether a CPU is on the task's stack: it runs the task, or is still switching away from it.
    #[must_use]
    pub fn is_on_cpu(&self) -> bool {
        self.on_cpu.load(Ordering::Acquire)
    }

    /// Whether the task runs now.
    pub(crate) fn is_running(&self) -> bool {
        self.state() == State::Running
    }

    pub(crate) fn deadline_ns(&self) -> u64 {
        self.deadline_ns.load(Ordering::Relaxed)
    }

    /// The CPUs that the task may run on. When none of them takes part, it may run on any.
    #[must_use]
    pub const fn cpus(&self) -> CpuSet {
        self.cpus
    }

    /// The CPU that the task runs on or last ran on.
    #[must_use]
    pub fn cpu(&self) -> CpuId {
        CpuId(self.cpu.load(Ordering::Relaxed))
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {} \"{}\" ({})", self.id, self.name, self.state())
    }
}
