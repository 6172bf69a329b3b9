//! What a task is doing, and how a task that blocks, those that wake it and the CPU that leaves it agree
//! who puts it in a queue.

use crate::atomic::{AtomicBool, AtomicU8, Ordering};
use core::fmt;

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

/// The words of a task that several CPUs change.
pub(crate) struct StateWords {
    state: AtomicU8,
    /// A wake-up that the task has not seen yet.
    wake_up: AtomicBool,
    /// Whether a CPU runs the task or has not yet finished switching away from it.
    on_cpu: AtomicBool,
    /// Whether it has been woken while a CPU was still switching away from it, and whoever finds that
    /// done first is to put it in a queue.
    queue_later: AtomicBool,
}

impl StateWords {
    /// Of a task that has just been made.
    pub(crate) fn new(state: State) -> Self {
        Self {
            state: AtomicU8::new(state as u8),
            wake_up: AtomicBool::new(false),
            on_cpu: AtomicBool::new(matches!(state, State::Running)),
            queue_later: AtomicBool::new(false),
        }
    }

    pub(crate) fn get(&self) -> State {
        State::from_number(self.state.load(Ordering::SeqCst))
    }

    pub(crate) fn set(&self, state: State) {
        self.state.store(state as u8, Ordering::SeqCst);
    }

    /// As [`StateWords::set`], of a task that goes from one CPU to another under the lock of a queue only.
    #[inline]
    pub(crate) fn mark(&self, state: State) {
        self.state.store(state as u8, Ordering::Release);
    }

    /// Goes from one state to another if the task is in the first.
    fn change(&self, from: State, to: State) -> bool {
        self.state
            .compare_exchange(from as u8, to as u8, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }

    /// The task, which runs, is about to block; whether its CPU has to leave it.
    #[inline]
    pub(crate) fn begin_block(&self) -> bool {
        // Either the waker sees `Blocked` and makes the task runnable, or this sees its wake-up.
        self.set(State::Blocked);
        let awake = self.wake_up.swap(false, Ordering::SeqCst);
        !(awake && self.take_back())
    }

    /// The task runs again after it was left.
    #[inline]
    pub(crate) fn end_block(&self) {
        self.wake_up.store(false, Ordering::SeqCst);
    }

    /// Goes on with the task, which has been woken after it was marked as blocked, if nobody else answers
    /// for it yet.
    fn take_back(&self) -> bool {
        if self.change(State::Blocked, State::Running) {
            return true;
        }
        // A waker on another CPU has made it runnable, but left it to this CPU to put it in a queue.
        let ours = self.take_queueing();
        if ours {
            self.set(State::Running);
        }
        ours
    }

    /// Notes a wake-up; whether the task has become runnable by it and the caller is to put it in a queue.
    #[inline]
    pub(crate) fn wake(&self) -> bool {
        if !self.change(State::Blocked, State::Runnable) {
            // Either the task sees this when it blocks, or this sees that it has.
            self.wake_up.store(true, Ordering::SeqCst);
            if !self.change(State::Blocked, State::Runnable) {
                return false;
            }
        }
        if !self.on_cpu.load(Ordering::SeqCst) {
            return true;
        }
        // Its stack is still in use. Two CPUs that waited here for the stacks of each other's tasks would
        // do so for ever, so the one that leaves it puts it in a queue, unless it has just left.
        self.queue_later.store(true, Ordering::SeqCst);
        !self.on_cpu.load(Ordering::SeqCst) && self.take_queueing()
    }

    /// Whether a CPU is on the task's stack.
    #[inline]
    pub(crate) fn is_on_cpu(&self) -> bool {
        self.on_cpu.load(Ordering::Acquire)
    }

    /// A CPU goes to the task, which it has from a queue.
    #[inline]
    pub(crate) fn enter_cpu(&self) {
        self.on_cpu.store(true, Ordering::Relaxed);
    }

    /// The CPU has left the task, which may be woken: from here on wakers put it in a queue themselves, and
    /// what one has left before is to be looked for with [`StateWords::has_queueing`].
    #[inline]
    pub(crate) fn leave_cpu(&self) {
        self.on_cpu.store(false, Ordering::SeqCst);
    }

    /// The CPU has left the task, which is in a queue, so that nobody can have left anything to it.
    #[inline]
    pub(crate) fn leave_cpu_in_queue(&self) {
        self.on_cpu.store(false, Ordering::Release);
    }

    /// Leaves it to whoever comes first to put the task in a queue.
    pub(crate) fn give_queueing(&self) {
        self.queue_later.store(true, Ordering::SeqCst);
    }

    /// Whether it has been left to somebody to put the task in a queue.
    #[inline]
    pub(crate) fn has_queueing(&self) -> bool {
        self.queue_later.load(Ordering::SeqCst)
    }

    /// Whether it has been left to the caller, who is the first to ask.
    pub(crate) fn take_queueing(&self) -> bool {
        self.queue_later.swap(false, Ordering::SeqCst)
    }

    /// Forgets that somebody was to put the task in a queue.
    pub(crate) fn drop_queueing(&self) {
        self.queue_later.store(false, Ordering::SeqCst);
    }

    /// Makes a task runnable, with a wake-up, that is on no CPU and in no queue.
    pub(crate) fn reset_to_runnable(&self) {
        self.wake_up.store(true, Ordering::SeqCst);
        self.drop_queueing();
        self.set(State::Runnable);
    }
}
