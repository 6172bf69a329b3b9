//! Models of the lock-free parts of components: `shuttle` runs the very source files, with its own
//! atomics in place of the processor's, through the interleavings of a few threads; all of them where
//! that ends in seconds, else many at random. A thread that waits for ever is a failure, too.
//!
//! What it explores is sequentially consistent: the orderings of these files are, where more than one word
//! is involved. What is not lock-free is tested where it runs.
#![forbid(unsafe_code)]

#[cfg(test)]
mod atomic {
    pub(crate) use shuttle::sync::atomic::{
        AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    };
}

#[cfg(test)]
#[path = "../../../components/machine/cpu/src/holder.rs"]
mod holder;

#[cfg(test)]
#[expect(dead_code, reason = "some of it is for what is not modelled")]
#[path = "../../../components/tasking/task/src/state.rs"]
pub mod state;

#[cfg(test)]
#[path = "../../../components/tasking/wait_queue/src/wake_ups.rs"]
pub mod wake_ups;

#[cfg(test)]
#[path = "../../../components/tasking/mutex/src/words.rs"]
mod words;

#[cfg(test)]
#[path = "../../../components/tasking/sync/src/permits.rs"]
mod permits;

#[cfg(test)]
mod queue;

#[cfg(test)]
mod scheduled;

#[cfg(test)]
mod tests;
