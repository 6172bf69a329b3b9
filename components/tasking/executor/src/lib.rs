//! Runs many futures in few tasks.
//!
//! An [`Executor`] is a queue of futures that can go on. Tasks that call [`Executor::run`] take them out
//! and poll them; a waker puts one back. [`block_on()`] runs one future in the task that calls it, and
//! [`sleep()`] is a future that waits for the clock; any future of `channel` works here and there.
//!
//! Principles: a waker may be called in an interrupt handler, so it allocates nothing: the queue has room
//! for all futures that live, which are in it once at most. A future that fails ends alone: its task
//! goes on with the others, and who waits for it is told. A task that is killed in `run` leaves the
//! futures to the other tasks of the executor.
//!
//! Neighbours: `async-task` keeps a future, its state and its waker in one allocation; `wait_queue` is
//! what idle tasks sleep on. Left out: priorities, and stealing between tasks: they share one queue.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod block_on;
mod handle;
mod queue;
mod timers;

pub use block_on::block_on;
pub use handle::{Ended, Handle};
pub use queue::Executor;
pub use timers::{Sleep, sleep, sleep_until};

component::component! { start: timers::start }
