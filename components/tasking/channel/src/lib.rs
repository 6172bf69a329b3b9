//! Channels between tasks, futures and interrupt handlers: many may send, many may receive.
//!
//! | made by | sending waits |
//! |---|---|
//! | [`bounded`] | for room; its memory is taken when it is made |
//! | [`unbounded`] | never; its memory grows by doubling |
//! | [`rendezvous`] | until the value has been received |
//!
//! Whoever closes a channel, or the last of either side being dropped, ends it: senders get their value
//! back, receivers first get what is still in it. [`Select`] waits for several channels at once.
//! [`Sender::try_send`] and [`Receiver::try_receive`] never wait and may be called in interrupt
//! handlers, where an unbounded channel only uses the memory that it has.
//!
//! Principles: a value is in the channel until a receiver, or its own sender, takes it, and never
//! belongs to somebody who still waits. So a task that is killed, unwound or kicked while it waits, and
//! a future that is dropped, lose and double nothing; who was woken and cannot look wakes the next one.
//! Sending wakes the receiver that has waited longest, and that is all the lock is held for: it is the
//! interrupt-safe one, since a value is moved under it and nothing else is done.
//!
//! Neighbours: `wait_queue` is the queues, `task` the blocking. Looked at and not taken:
//! `crossbeam-queue` (its bounded queue is lock-free, but the look at it and the entry into a queue of
//! waiters have to be one step, so it would come on top of the lock, and it cannot give an offer back),
//! `heapless` (its queues have their capacity in their type), `flume` and `async-channel` (want `std`
//! or wakers for everything). Left out: priorities among messages.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod error;
mod future;
mod receiver;
mod select;
mod sender;
mod shared;
mod state;

pub use error::{Closed, SendError, TryReceiveError, TrySendError};
pub use future::{ReceiveFuture, SendFuture};
pub use receiver::Receiver;
pub use select::{Operation, Select};
pub use sender::Sender;

use shared::Shared;

/// Values that an unbounded or rendezvous channel has memory for at first.
const FIRST_ROOM: usize = 4;

/// Makes a channel that holds up to `capacity` values, at least one.
#[must_use]
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let capacity = capacity.max(1);
    ends(capacity, capacity)
}

/// Makes a channel that holds any number of values.
#[must_use]
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    ends(usize::MAX, FIRST_ROOM)
}

/// Makes a channel that holds no value: sending ends when the value has been received.
#[must_use]
pub fn rendezvous<T>() -> (Sender<T>, Receiver<T>) {
    ends(0, FIRST_ROOM)
}

fn ends<T>(limit: usize, room: usize) -> (Sender<T>, Receiver<T>) {
    let shared = Shared::new(limit, room);
    (Sender::new(shared.clone()), Receiver::new(shared))
}
