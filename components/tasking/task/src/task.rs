//! What a task is.

use crate::{
    Failure, Kept, NullStreams, Priority, Runnable, Streams, TaskName, WaitList,
    locks::HeldLocks,
    policy,
    requests::Requests,
    run_queue::RunLink,
    schedule,
    state::{State, StateWords},
    task_local::Locals,
};
use alloc::{boxed::Box, sync::Arc};
use core::{
    fmt,
    sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering},
};
use cpu::{CpuId, CpuSet, InterruptsOff, IrqMutex};
use handover::{VirtualRange, layout::PAGE_SIZE};
use interrupts::StackNeed;
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

/// What a task runs.
pub(crate) type Body = Box<dyn FnOnce() + Send>;

/// One flow of control.
pub struct Task {
    pub(crate) id: TaskId,
    pub(crate) name: TaskName,
    pub(crate) component: Arc<str>,
    pub(crate) kind: Kind,
    cpus: CpuSet,
    pub(crate) words: StateWords,
    /// The CPU that it last ran on.
    pub(crate) cpu: AtomicU32,
    priority: AtomicU8,
    /// The weight of that priority, and its inverse; see [`Task::weight`].
    weight: AtomicU32,
    inverse_weight: AtomicU32,
    /// What the policy in charge keeps of the task.
    policy_words: [AtomicU64; POLICY_WORDS],
    /// Stack pointer while it does not run.
    pub(crate) saved_stack_pointer: AtomicUsize,
    pub(crate) stack_range: VirtualRange,
    /// From here on the stack is known to be mapped, and perhaps from below.
    stack_mapped: AtomicU64,
    pub(crate) stack: IrqMutex<Option<Stack>>,
    pub(crate) body: IrqMutex<Option<Body>>,
    pub(crate) cycles: AtomicU64,
    pub(crate) deadline_ns: AtomicU64,
    pub(crate) requests: Requests,
    /// How often it has been interrupted since it was killed without ending.
    pub(crate) chances: AtomicU32,
    /// How many reasons there are to put a kill off.
    pub(crate) kill_deferrals: AtomicU32,
    /// Whether it stands still for a [`crate::Hold`].
    pub(crate) stands_still: AtomicBool,
    pub(crate) locks: HeldLocks,
    /// How many unwindings of this task have begun and not arrived at their catch.
    unwinding: AtomicU32,
    /// The innermost catch; owned by the unwinder.
    catch: AtomicUsize,
    pub(crate) locals: Locals,
    /// None leads nowhere.
    streams: IrqMutex<Option<Arc<dyn Streams>>>,
    /// What lives at least as long as it.
    kept: IrqMutex<Option<Kept>>,
    pub(crate) ending: IrqMutex<Ending>,
    pub(crate) run_link: RunLink,
    pub(crate) wait_link: LinkedListAtomicLink,
    pub(crate) timer_link: LinkedListAtomicLink,
    pub(crate) table_link: LinkedListAtomicLink,
}

/// How many words a policy has in each task.
pub const POLICY_WORDS: usize = 4;

/// Binary digits behind the point of [`Task::inverse_weight`].
pub const INVERSE_WEIGHT_SHIFT: u32 = 16;

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
    /// Whether nobody has a handle any more: then the reaper frees what is left.
    pub(crate) detached: bool,
    pub(crate) waiters: WaitList,
}

/// What is needed to make a [`Task`].
pub(crate) struct Parts {
    pub(crate) id: TaskId,
    pub(crate) name: TaskName,
    pub(crate) component: Arc<str>,
    pub(crate) kind: Kind,
    pub(crate) cpus: CpuSet,
    pub(crate) priority: Priority,
    pub(crate) state: State,
    pub(crate) stack_range: VirtualRange,
    pub(crate) stack_mapped: u64,
    pub(crate) stack: Option<Stack>,
    pub(crate) saved_stack_pointer: usize,
    pub(crate) body: Option<Body>,
    pub(crate) streams: Option<Arc<dyn Streams>>,
    pub(crate) kept: Option<Kept>,
}

impl Task {
    pub(crate) fn new(parts: Parts) -> Self {
        let task = Self {
            id: parts.id,
            name: parts.name,
            component: parts.component,
            kind: parts.kind,
            cpus: parts.cpus,
            words: StateWords::new(parts.state),
            cpu: AtomicU32::new(0),
            priority: AtomicU8::new(0),
            weight: AtomicU32::new(0),
            inverse_weight: AtomicU32::new(0),
            policy_words: [const { AtomicU64::new(0) }; POLICY_WORDS],
            saved_stack_pointer: AtomicUsize::new(parts.saved_stack_pointer),
            stack_range: parts.stack_range,
            stack_mapped: AtomicU64::new(parts.stack_mapped),
            stack: IrqMutex::new(parts.stack),
            body: IrqMutex::new(parts.body),
            cycles: AtomicU64::new(0),
            deadline_ns: AtomicU64::new(0),
            requests: Requests::none(),
            chances: AtomicU32::new(0),
            kill_deferrals: AtomicU32::new(0),
            stands_still: AtomicBool::new(false),
            locks: HeldLocks::new(),
            unwinding: AtomicU32::new(0),
            catch: AtomicUsize::new(0),
            locals: Locals::default(),
            streams: IrqMutex::new(parts.streams),
            kept: IrqMutex::new(parts.kept),
            ending: IrqMutex::new(Ending::default()),
            run_link: RunLink::new(),
            wait_link: LinkedListAtomicLink::new(),
            timer_link: LinkedListAtomicLink::new(),
            table_link: LinkedListAtomicLink::new(),
        };
        task.set_priority(parts.priority);
        task
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
        self.words.get()
    }

    pub(crate) fn set_state(&self, state: State) {
        self.words.set(state);
    }

    /// Changes the state of a task whose only [`Runnable`] the caller has, or takes or gives.
    #[inline]
    pub(crate) fn mark(&self, state: State) {
        self.words.mark(state);
    }

    /// Ticks of the time-stamp counter that CPUs have spent in the task, without the turn that it has
    /// now.
    #[must_use]
    #[inline]
    pub fn cpu_ticks(&self) -> u64 {
        self.cycles.load(Ordering::Relaxed)
    }

    /// Makes the task runnable if it is blocked; otherwise its next [`crate::block`] returns at
    /// once. May be called from an interrupt handler.
    pub fn unblock(self: &Arc<Self>) {
        let off = InterruptsOff::new();
        if self.is_ours_to_queue() {
            // SAFETY: the task is runnable, and the caller is the one who is to queue it.
            let runnable = unsafe { Runnable::new(Arc::clone(self)) };
            policy::enqueue_within(&off, runnable, policy::Reason::Woken);
        }
    }

    /// As [`Task::unblock`], for who needs its reference no more.
    #[inline]
    pub fn wake(self: Arc<Self>) {
        self.wake_within(InterruptsOff::new());
    }

    /// As [`Task::wake`], for who has interrupts off already; they are as they were before that when it
    /// returns.
    pub fn wake_within(self: Arc<Self>, off: InterruptsOff) {
        if self.is_ours_to_queue() {
            // SAFETY: as above.
            let runnable = unsafe { Runnable::new(self) };
            if off.were_enabled() && cpu::preemption_enabled() {
                schedule::exchange_for_woken(runnable);
            } else {
                policy::enqueue_within(&off, runnable, policy::Reason::Woken);
            }
        }
    }

    /// Notes a wake-up; whether the task has become runnable by it and the caller is to put it in a
    /// queue.
    #[inline]
    fn is_ours_to_queue(&self) -> bool {
        // The idle task never waits to be woken, whatever its state says.
        self.kind != Kind::Idle && self.words.wake()
    }

    /// Puts the task in a queue if that has been left to whoever calls this first.
    pub(crate) fn queue_if_left(self: &Arc<Self>) {
        if self.words.take_queueing() {
            // SAFETY: the task is runnable, and this is the one that has been left to queue it.
            let runnable = unsafe { Runnable::new(Arc::clone(self)) };
            policy::enqueue(runnable, policy::Reason::Woken);
        }
    }

    /// Makes the task one that is in no queue of runnable tasks and not among the sleepers; whether it was in
    /// the one and the other. Their references to it are the caller's now.
    ///
    /// # Safety
    ///
    /// Neither may lead to it any more.
    pub(crate) unsafe fn reset_links(&self) -> (bool, bool) {
        let waited = self.run_link.reset();
        let slept = self.timer_link.is_linked();
        // SAFETY: the caller promises that no list leads to the task by this link.
        unsafe { self.timer_link.force_unlink() };
        (waited, slept)
    }

    /// Whether the task has been asked to end.
    #[must_use]
    #[inline]
    pub fn is_killed(&self) -> bool {
        self.requests.to_end()
    }

    /// The memory of its stack, without guard.
    #[must_use]
    pub const fn stack_range(&self) -> VirtualRange {
        self.stack_range
    }

    /// Whether the word at `address`, in its stack, is mapped.
    #[must_use]
    pub fn is_stack_mapped(&self, address: u64) -> bool {
        self.stack_mapped.load(Ordering::Relaxed) <= address || stacks::is_mapped(address)
    }

    /// Maps the page of `address`, in its stack; whether it is mapped then.
    pub(crate) fn grow_stack(&self, address: u64, need: StackNeed) -> bool {
        let grown = stacks::grow(address, need);
        let page = address & !(PAGE_SIZE - 1);
        if grown && page + PAGE_SIZE == self.stack_mapped.load(Ordering::Relaxed) {
            self.stack_mapped.store(page, Ordering::Relaxed);
        }
        grown
    }

    /// Maps its stack from `address` on, for an interrupt; whether it is mapped then.
    #[inline]
    pub(crate) fn map_stack_from(&self, address: u64) -> bool {
        loop {
            let mapped = self.stack_mapped.load(Ordering::Relaxed);
            if mapped <= address {
                return true;
            }
            if !self.grow_stack(mapped - 1, StackNeed::Anywhere) {
                return false;
            }
        }
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
        let streams = self.streams.lock().clone();
        streams.unwrap_or_else(|| Arc::new(NullStreams))
    }

    /// Lets the task read from and write to somewhere else.
    pub fn set_streams(&self, streams: Arc<dyn Streams>) {
        self.replace_streams(Some(streams));
    }

    pub(crate) fn forget_streams(&self) {
        self.replace_streams(None);
    }

    /// What the tasks that it spawns are to keep, too.
    pub(crate) fn kept(&self) -> Option<Kept> {
        self.kept.lock().clone()
    }

    /// Takes out what it has kept, which it needs no more.
    pub(crate) fn take_kept(&self) -> Option<Kept> {
        self.kept.lock().take()
    }

    pub(crate) fn streams_to_inherit(&self) -> Option<Arc<dyn Streams>> {
        self.streams.lock().clone()
    }

    fn replace_streams(&self, streams: Option<Arc<dyn Streams>>) {
        let before = core::mem::replace(&mut *self.streams.lock(), streams);
        drop(before); // Not under the lock: the last reference may run anybody's code.
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
        self.words.is_on_cpu()
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

    /// The CPUs that the task may run on now: of those that take part, the ones that it is bound to, or
    /// all when none of them takes part.
    #[must_use]
    pub fn allowed_cpus(&self) -> CpuSet {
        let online = cpu::online_cpus();
        let bound = online.and(self.cpus);
        if bound.is_empty() { online } else { bound }
    }

    /// How much the task matters.
    #[must_use]
    pub fn priority(&self) -> Priority {
        Priority::of_level(self.priority.load(Ordering::Relaxed)).unwrap_or_default()
    }

    /// Says how much the task matters from now on. A policy may take notice only when the task is next
    /// put in a queue.
    pub fn set_priority(&self, priority: Priority) {
        let weight = priority.weight();
        self.priority.store(priority.level(), Ordering::Relaxed);
        self.weight.store(weight, Ordering::Relaxed);
        let inverse = (Priority::NORMAL.weight() << INVERSE_WEIGHT_SHIFT) / weight;
        self.inverse_weight.store(inverse, Ordering::Relaxed);
    }

    /// The weight of the task's priority.
    #[must_use]
    #[inline]
    pub fn weight(&self) -> u32 {
        self.weight.load(Ordering::Relaxed)
    }

    /// By how much time weighs more for this task than for one of normal priority: the normal weight
    /// divided by its own, with [`INVERSE_WEIGHT_SHIFT`] binary digits behind the point.
    #[must_use]
    #[inline]
    pub fn inverse_weight(&self) -> u32 {
        self.inverse_weight.load(Ordering::Relaxed)
    }

    /// A word for the policy in charge, below [`POLICY_WORDS`]. All are 0 when a policy first sees the
    /// task.
    #[must_use]
    #[inline]
    pub fn policy_word(&self, index: usize) -> u64 {
        let word = self.policy_words.get(index);
        word.map_or(0, |word| word.load(Ordering::Relaxed))
    }

    /// Sets a word of the policy in charge.
    #[inline]
    pub fn set_policy_word(&self, index: usize, value: u64) {
        if let Some(word) = self.policy_words.get(index) {
            word.store(value, Ordering::Relaxed);
        }
    }

    /// Clears the words of the policy that was in charge.
    pub(crate) fn clear_policy_words(&self) {
        for index in 0..POLICY_WORDS {
            self.set_policy_word(index, 0);
        }
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
