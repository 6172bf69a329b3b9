//! Fixed priorities with ageing: the most important task runs, and nobody waits for ever.
//!
//! A task comes into its queue with the time at which it would have come if it had the highest
//! priority: each level below that counts as 50 ms of waiting. The earliest one is
//! first. So of tasks that come together the more important one runs, and one that waits gains a level
//! each time that the ageing passes; a queue needs no clock and no second look for that. Tasks of one
//! level take turns.
//!
//! A task that becomes runnable and matters more than what its CPU runs takes its place at once.
//!
//! Where a task goes and how the CPUs balance is [`CpuQueues`]'s affair.
//!
//! Neighbours: `task` owns the trait and looks at the answers. Left out: priority inheritance.
#![no_std]
#![forbid(unsafe_code)]

use component::{Handover, StartError};
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use cpu::{CpuId, MAX_CPUS};
use task::{
    Answer, CpuQueue, CpuQueues, KeyedQueue, Placed, Priority, Reason, Runnable, SchedulingPolicy,
    Task,
};

component::component! { start: start, stop: stop }

/// How long a task may run before another one of its level gets its turn.
const SHARE_NS: u64 = 20_000_000;

/// After how much waiting a task counts as one of the next higher level.
const AGEING_NS: u64 = 50_000_000;

/// The word of a task by which it is queued.
const KEY: usize = 0;

#[used]
static POLICY: FixedPriority = FixedPriority {
    queues: CpuQueues::new(),
    running: [const { AtomicU8::new(0) }; MAX_CPUS],
    share_ticks: AtomicU64::new(0),
    ageing_ticks: AtomicU64::new(0),
};

fn start(_: &'static Handover) -> Result<(), StartError> {
    let set = |word: &AtomicU64, ns| word.store(clock::ns_to_ticks(ns), Ordering::Relaxed);
    set(&POLICY.share_ticks, SHARE_NS);
    set(&POLICY.ageing_ticks, AGEING_NS);
    task::register_policy(env!("CARGO_PKG_NAME"), &POLICY)
}

fn stop() -> Result<(), StartError> {
    task::unregister_policy(env!("CARGO_PKG_NAME")).map_err(Into::into)
}

struct FixedPriority {
    queues: CpuQueues<Queue>,
    /// The level of the task that each CPU runs.
    running: [AtomicU8; MAX_CPUS],
    share_ticks: AtomicU64,
    ageing_ticks: AtomicU64,
}

/// The tasks that wait for a CPU.
struct Queue {
    tasks: KeyedQueue<KEY>,
    length: usize,
}

impl Queue {
    fn push(&mut self, task: Runnable, key: u64) {
        task.set_policy_word(KEY, key);
        self.push_moved(task);
    }

    fn pop(&mut self) -> Option<Runnable> {
        let task = self.tasks.pop()?;
        self.length -= 1;
        Some(task)
    }
}

fn key_of(task: &Task) -> u64 {
    task.policy_word(KEY)
}

impl CpuQueue for Queue {
    const EMPTY: Self = Self {
        tasks: KeyedQueue::new(),
        length: 0,
    };

    fn len(&self) -> usize {
        self.length
    }

    fn take_first(&mut self, wanted: impl Fn(&Task) -> bool) -> Option<Runnable> {
        let task = self.tasks.take_first(wanted)?;
        self.length -= 1;
        Some(task)
    }

    fn push_moved(&mut self, task: Runnable) {
        self.tasks.push(task);
        self.length += 1;
    }
}

impl FixedPriority {
    /// The key with which `task` would be queued now.
    fn key_now(&self, task: &Task) -> u64 {
        let below = Priority::HIGHEST.level() - task.priority().level();
        let ageing = self.ageing_ticks.load(Ordering::Relaxed);
        cpu::timestamp().saturating_add(u64::from(below) * ageing)
    }

    fn note_running(&self, cpu: CpuId, task: &Task) {
        if let Some(level) = self.running.get(cpu.index()) {
            level.store(task.priority().level(), Ordering::Relaxed);
        }
    }

    fn level_of_running(&self, cpu: CpuId) -> u8 {
        self.running
            .get(cpu.index())
            .map_or(u8::MAX, |level| level.load(Ordering::Relaxed))
    }
}

impl SchedulingPolicy for FixedPriority {
    fn name(&self) -> &'static str {
        "fixed priority with ageing"
    }

    fn enqueue(&self, cpu: CpuId, task: Runnable, reason: Reason) -> Placed {
        let cpu = self.queues.place(cpu, &task, reason);
        let preempts = task.priority().level() > self.level_of_running(cpu);
        let key = self.key_now(&task);
        self.queues.lock(cpu).push(task, key);
        Placed { cpu, preempts }
    }

    fn exchange(&self, cpu: CpuId, running: Runnable, _: Reason) -> Option<Runnable> {
        let key = self.key_now(&running);
        let mut queue = self.queues.lock_bare(cpu);
        // One that yields lets its equals run, and whoever has waited so long that it counts as one.
        if queue.tasks.first().is_none_or(|first| key_of(first) > key) {
            return Some(running);
        }
        let next = queue.tasks.pop()?;
        running.set_policy_word(KEY, key);
        queue.tasks.push(running);
        drop(queue);
        self.note_running(cpu, &next);
        Some(next)
    }

    fn pick(&self, cpu: CpuId, _: Option<&Task>) -> Option<Runnable> {
        let next = self.queues.lock(cpu).pop()?;
        self.note_running(cpu, &next);
        Some(next)
    }

    fn steal(&self, cpu: CpuId) -> Option<Runnable> {
        let task = self.queues.steal(cpu)?;
        self.note_running(cpu, &task);
        Some(task)
    }

    fn tick(&self, cpu: CpuId, running: &Task, ran: u64) -> Answer {
        let over = ran >= self.share_ticks.load(Ordering::Relaxed);
        let queue = self.queues.lock(cpu);
        let level = running.priority();
        let better = match queue.tasks.first() {
            Some(first) => {
                first.priority() > level || over && key_of(first) < self.key_now(running)
            }
            None => false,
        };
        drop(queue);
        if better || over && self.queues.waiting(cpu) == 0 && self.queues.pull(cpu) {
            Answer::Preempt
        } else {
            Answer::Continue
        }
    }

    fn give_up(&self, cpu: CpuId) -> Option<Runnable> {
        self.queues.lock(cpu).pop()
    }

    fn forget_all(&self) {
        self.queues.forget_all();
    }
}
