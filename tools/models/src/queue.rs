//! A wait queue on threads: what `wait_queue` is on tasks, around the same `WakeUps`.

use crate::wake_ups::WakeUps;
use shuttle::{
    sync::Mutex,
    thread::{self, Thread},
};
use std::collections::VecDeque;

pub(crate) struct Queue {
    wake_ups: WakeUps,
    waiting: Mutex<VecDeque<Thread>>,
}

impl Queue {
    pub(crate) fn new() -> Self {
        Self {
            wake_ups: WakeUps::new(),
            waiting: Mutex::new(VecDeque::new()),
        }
    }

    /// As `WaitQueue::wait_for_kickable`, without kicks.
    pub(crate) fn wait(&self, mut condition: impl FnMut() -> bool) {
        loop {
            let seen = self.wake_ups.now();
            if condition() {
                return;
            }
            {
                let mut waiting = self.waiting.lock().unwrap();
                waiting.push_back(thread::current());
                if !self.wake_ups.enter(seen) {
                    waiting.pop_back();
                    continue;
                }
            }
            // A wake-up that comes first is remembered, as a task's is.
            thread::park();
            let mut waiting = self.waiting.lock().unwrap();
            let me = thread::current().id();
            waiting.retain(|thread| thread.id() != me);
            self.wake_ups.set_occupied(!waiting.is_empty());
        }
    }

    /// As `WaitQueue::wake_one`.
    pub(crate) fn wake_one(&self) {
        if self.wake_ups.count() {
            let chosen = {
                let mut waiting = self.waiting.lock().unwrap();
                let chosen = waiting.pop_front();
                self.wake_ups.set_occupied(!waiting.is_empty());
                chosen
            };
            if let Some(thread) = chosen {
                thread.unpark();
            }
        }
    }

    /// As `WaitQueue::wake_all`.
    pub(crate) fn wake_all(&self) {
        if self.wake_ups.count() {
            let all = {
                let mut waiting = self.waiting.lock().unwrap();
                self.wake_ups.set_occupied(false);
                std::mem::take(&mut *waiting)
            };
            for thread in all {
                thread.unpark();
            }
        }
    }
}
