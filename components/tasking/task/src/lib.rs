//! Tasks, context switches and the scheduling interface.
//!
//! A task is one flow of control with a guarded stack of its own. This crate knows how to make one,
//! how to switch to it, and how it ends; *which* task runs next is a [`SchedulingPolicy`]'s answer,
//! registered from above and verified here.
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
//! - What belongs to a CPU is found by its number. A task comes into a queue only when no CPU is on
//!   its stack any more: one that yields is put there after the switch away from it, and one that is
//!   woken during that switch by the CPU that makes it. So a CPU that picks a task never waits for
//!   another.
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

mod builder;
mod cpu_start;
mod ending;
mod failure;
mod hold;
mod hooks;
mod info;
mod kill;
mod locks;
mod per_cpu;
mod policy;
mod queue;
mod repair;
mod schedule;
mod start;
mod streams;
mod supervision;
mod switch;
mod task;
mod timers;
mod waiter;

pub use builder::{Builder, DEFAULT_STACK_SIZE, JoinHandle, SpawnError, spawn};
pub use cpu_start::{IdleTask, enter, idle_task};
pub use failure::{Failure, Message};
pub use hold::{Hold, Kicked, kicked, restart, stand_still};
pub use hooks::{
    Catch, IsApplicationText, Unwind, UnwindInterrupted, catch, register_application_text,
    register_unwinder, unwind,
};
pub use info::{TaskInfo, find, is_alive, tasks};
pub use kill::{KillDeferral, KillError, kill, killed, safe_point};
pub use locks::LockRank;
pub use per_cpu::idle_cpus;
pub use policy::{
    Answer, PolicyError, Reason, SchedulingPolicy, policy_name, register_policy, rejected_answers,
};
pub use queue::{RunQueue, WaitList};
pub use repair::{abandon, requeue_lost, settle, settle_switch};
pub use schedule::{block, block_until, current, with_current, yield_now};
pub use streams::{NullStreams, StreamError, Streams, streams};
pub use supervision::{Restart, Supervised, supervised};
pub use task::{State, Task, TaskId, UnwindState};
pub use timers::{now_ns, sleep};
pub use waiter::{Waiter, WaiterList};

component::component! { start: start::start }
