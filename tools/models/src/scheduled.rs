//! A task that blocks and is woken: what `task` does around its `StateWords`, with a thread for the task and
//! the CPU that runs it, and one for the queue that it comes back from.

use crate::state::{State, StateWords};
use shuttle::sync::{Condvar, Mutex};

pub(crate) struct Scheduled {
    words: StateWords,
    /// Whether the task is in a queue of runnable tasks.
    queued: Mutex<bool>,
    comes: Condvar,
}

impl Scheduled {
    /// A task that runs.
    pub(crate) fn running() -> Self {
        Self {
            words: StateWords::new(State::Running),
            queued: Mutex::new(false),
            comes: Condvar::new(),
        }
    }

    /// As `Task::unblock`, on any CPU.
    pub(crate) fn unblock(&self) {
        if self.words.wake() {
            self.enqueue();
        }
    }

    fn enqueue(&self) {
        assert_eq!(self.words.get(), State::Runnable);
        assert!(
            !self.words.is_on_cpu(),
            "queued while a CPU is on its stack"
        );
        let mut queued = self.queued.lock().unwrap();
        assert!(!*queued, "queued twice");
        *queued = true;
        self.comes.notify_one();
    }

    /// As `block`: the CPU leaves the task, if it has to, and runs it again when it is in a queue.
    pub(crate) fn block(&self) {
        if self.words.begin_block() {
            self.words.leave_cpu();
            if self.words.has_queueing() && self.words.take_queueing() {
                self.enqueue();
            }
            let mut queued = self.queued.lock().unwrap();
            while !*queued {
                queued = self.comes.wait(queued).unwrap();
            }
            *queued = false;
            drop(queued);
            self.words.mark(State::Running);
            self.words.enter_cpu();
            self.words.end_block();
        }
        assert_eq!(self.words.get(), State::Running);
    }
}
