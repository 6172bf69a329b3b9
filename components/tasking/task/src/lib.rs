//! Tasks, context switches and the scheduling interface.
//!
//! A task is one flow of control with a guarded stack of its own. This crate knows how to make one,
//! how to switch to it, and how it ends; *which* task runs next is a [`SchedulingPolicy`]'s answer,
//! registered from above and verified here. How much a task matters is its [`Priority`].
//!
//! Principles:
//!
//! - A voluntary switch saves the callee-saved registers and nothing else. Preemption is the same
//!   switch, called at the end of an interrupt on the interrupted task's own stack, under the frame
//!   that the interrupt entry has saved there.
//! - A task blocks by [`block`] and is woken by [`Task::unblock`]. A wake-up is remembered, so one
//!   that comes first is not lost; every waiter looks at its condition again.
//! - A task ends by returning or by unwinding; killing it is unwinding it with [`Failure::Killed`]
//!   at the next safe point. What it owned is dropped on its own stack, and the stack itself is
//!   freed by somebody else, after the last switch away from it.
//! - What belongs to a CPU is found by its number. A CPU that picks a task never waits until another
//!   one has left its stack: one that yields is in the queue of its own CPU until then, where others
//!   leave it alone, and one that is woken during the switch away from it is queued by the CPU that makes
//!   the switch.
//! - Several policies can be registered, and one is in charge. Another one takes over while all CPUs
//!   stand still outside of it, so no task and no wake-up is lost.
//! - A CPU that starts is given an idle task ([`idle_task`]) and begins with it ([`enter`]).
//!
//! Lock order: a policy's queue, the timer queue and a waiters' list are never held together, and
//! none is held over a switch; each is a leaf below any other lock.
//!
//! Neighbours: `interrupts` calls the preemption hook, `clock` the tick, `stacks` gives stacks;
//! `unwinder` registers itself as [`register_unwinder`], `loader` says which text belongs to an
//! application ([`register_application_text`]). Left out: wait queues, locks and channels (crates of
//! their own), and any policy.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

/// Where the atomics come from that models replace.
mod atomic {
    pub(crate) use core::sync::atomic::{AtomicBool, AtomicU8, Ordering};
}

mod builder;
mod cpu_queues;
mod cpu_start;
mod ending;
mod failure;
mod hold;
mod hooks;
mod info;
mod kill;
mod locks;
mod name;
mod per_cpu;
mod policies;
mod policy;
mod priority;
mod queue;
mod repair;
mod requests;
mod run_queue;
mod runnable;
mod schedule;
mod start;
mod state;
mod streams;
mod supervision;
mod switch;
mod task;
mod task_local;
mod timers;
mod waiter;

pub use builder::{
    Builder, DEFAULT_STACK_SIZE, JoinHandle, Kept, LEAST_STACK_SIZE, SpawnError, spawn,
};
pub use cpu_queues::{CpuQueue, CpuQueues, QueueGuard};
pub use cpu_start::{IdleTask, enter, idle_task};
pub use failure::{Failure, Message};
pub use hold::{Hold, Kicked, kicked, restart, stand_still};
pub use hooks::{
    Catch, IsApplicationText, Unwind, UnwindInterrupted, catch, is_application_text,
    register_application_text, register_unwinder, unwind,
};
pub use info::{TaskInfo, find, is_alive, tasks};
pub use kill::{KillDeferral, KillError, kill, killed, safe_point};
pub use locks::LockRank;
pub use name::TaskName;
pub use per_cpu::idle_cpus;
pub use policies::{
    PolicyError, PolicyInfo, policies, register_policy, takeovers, unregister_policy,
};
pub use policy::{Answer, Placed, Reason, SchedulingPolicy, Woken, rejected_answers};
pub use priority::Priority;
pub use queue::WaitList;
pub use repair::{abandon, land, repair, requeue_lost, settle, settle_switch, wake_blocked};
pub use requests::has_requests;
pub use run_queue::{KeyedQueue, RunQueue};
pub use runnable::Runnable;
pub use schedule::{Current, block, block_until, block_within, current, with_current, yield_now};
pub use state::State;
pub use streams::{NullStreams, StreamError, Streams, streams};
pub use supervision::{Restart, Supervised, supervised};
pub use task::{INVERSE_WEIGHT_SHIFT, POLICY_WORDS, Task, TaskId, UnwindState};
pub use task_local::TaskLocal;
pub use timers::{now_ns, sleep};
pub use waiter::{Waiter, WaiterList};

component::component! { start: start::start }
