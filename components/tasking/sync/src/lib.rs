//! Waiting without owning: condition variable, semaphore, barrier, and a value that is made once.
//!
//! | type | waits until |
//! |---|---|
//! | [`Condvar`] | somebody says that the value under a mutex has changed |
//! | [`Semaphore`] | there is a permit |
//! | [`Barrier`] | as many tasks as agreed wait |
//! | [`OnceLock`] | the value is there |
//!
//! Principles: each is a word or a small state and a `wait_queue`; a task that is killed, unwound or
//! kicked while it waits has taken nothing and is not counted any more, and what it holds (a permit, the
//! right to make a value) comes back by a drop. Waking never blocks or allocates, so interrupt handlers
//! may release a semaphore or notify.
//!
//! Neighbours: `wait_queue` below; `mutex` has the locks that know their owners, `channel` carries
//! values. For data that interrupt handlers touch there is `cpu::IrqMutex`, for a lock that only keeps
//! its task on its CPU `cpu::PreemptionGuard` and `spin`.
#![no_std]
#![forbid(unsafe_code)]

mod barrier;
mod condvar;
mod once;
mod permits;
mod semaphore;

/// What `permits` is made of; the models of it have another one.
mod atomic {
    pub(crate) use core::sync::atomic::{AtomicUsize, Ordering};
}

pub use barrier::{Barrier, Passed};
pub use condvar::Condvar;
pub use once::OnceLock;
pub use semaphore::{Permit, Semaphore};
