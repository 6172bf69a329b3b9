//! A barrier.

use core::{cell::Cell, fmt};
use cpu::IrqMutex;
use task::Kicked;
use wait_queue::WaitQueue;

/// A point that tasks pass together. It can be used again and again.
pub struct Barrier {
    size: usize,
    state: IrqMutex<State>,
    queue: WaitQueue,
}

#[derive(Clone, Copy)]
struct State {
    waiting: usize,
    round: u64,
}

/// How a task passed a barrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passed {
    /// It came last.
    Last,
    /// It waited for others.
    Waited,
}

impl Barrier {
    /// A barrier that `size` tasks pass together; 0 is as 1.
    #[must_use]
    pub const fn new(size: usize) -> Self {
        Self {
            size,
            state: IrqMutex::new(State {
                waiting: 0,
                round: 0,
            }),
            queue: WaitQueue::new(),
        }
    }

    /// Waits for the others. A safe point: a task that is killed here is not counted any more.
    pub fn wait(&self) -> Passed {
        task::restart(|| self.wait_kickable())
    }

    /// As [`Barrier::wait`].
    ///
    /// # Errors
    ///
    /// When the task is on hold and would have to wait; it is not counted then.
    pub fn wait_kickable(&self) -> Result<Passed, Kicked> {
        let round = {
            let mut state = self.state.lock();
            state.waiting += 1;
            if state.waiting >= self.size {
                *state = State {
                    waiting: 0,
                    round: state.round + 1,
                };
                drop(state);
                self.queue.wake_all();
                return Ok(Passed::Last);
            }
            state.round
        };
        let counted = Counted {
            barrier: self,
            round,
            left: Cell::new(false),
        };
        let passed = || (self.state.lock().round != round).then_some(Passed::Waited);
        let waited = self.queue.wait_for_kickable(passed);
        // When it is kicked although all have come, it has passed.
        if !counted.leave() {
            return Ok(Passed::Waited);
        }
        waited
    }
}

/// A task that is counted in a round. Dropping it takes it off, if the round is not over.
struct Counted<'a> {
    barrier: &'a Barrier,
    round: u64,
    left: Cell<bool>,
}

impl Counted<'_> {
    /// Takes it off; whether the round was not over.
    fn leave(&self) -> bool {
        let mut state = self.barrier.state.lock();
        let counted = state.round == self.round && !self.left.get();
        if counted {
            state.waiting -= 1;
            self.left.set(true);
        }
        counted
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.state.lock().waiting;
        f.debug_struct("Barrier")
            .field("size", &self.size)
            .field("waiting", &waiting)
            .finish_non_exhaustive()
    }
}
