//! Preemptive round robin: every runnable task in turn, each for the same share.
//!
//! Each CPU has a queue of its own; where a task goes and how the CPUs balance is [`CpuQueues`]'s
//! affair. A task that blocks or yields before its share is over gives up the rest. Priorities mean
//! nothing.
//!
//! Neighbours: `task` owns the trait and looks at the answers.
#![no_std]
#![forbid(unsafe_code)]

use component::{Handover, StartError};
use core::sync::atomic::{AtomicU64, Ordering};
use cpu::CpuId;
use task::{
    Answer, CpuQueue, CpuQueues, Placed, Reason, RunQueue, Runnable, SchedulingPolicy, Task,
};

component::component! { start: start, stop: stop }

/// How long a task may run before the next one gets its turn.
const SHARE_NS: u64 = 20_000_000;

#[used]
static POLICY: RoundRobin = RoundRobin {
    queues: CpuQueues::new(),
    share_ticks: AtomicU64::new(0),
};

fn start(_: &'static Handover) -> Result<(), StartError> {
    let share = clock::ns_to_ticks(SHARE_NS);
    POLICY.share_ticks.store(share, Ordering::Relaxed);
    task::register_policy(env!("CARGO_PKG_NAME"), &POLICY)
}

fn stop() -> Result<(), StartError> {
    task::unregister_policy(env!("CARGO_PKG_NAME")).map_err(Into::into)
}

struct RoundRobin {
    queues: CpuQueues<Queue>,
    /// A task's share in ticks of the time-stamp counter.
    share_ticks: AtomicU64,
}

/// The tasks that wait for a CPU, in the order in which they came.
struct Queue {
    tasks: RunQueue,
    length: usize,
}

impl Queue {
    fn push(&mut self, task: Runnable) {
        self.tasks.push_back(task);
        self.length += 1;
    }

    fn pop(&mut self) -> Option<Runnable> {
        let task = self.tasks.pop_front()?;
        self.length -= 1;
        Some(task)
    }
}

impl CpuQueue for Queue {
    const EMPTY: Self = Self {
        tasks: RunQueue::new(),
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
        self.push(task);
    }
}

impl SchedulingPolicy for RoundRobin {
    fn name(&self) -> &'static str {
        "round robin"
    }

    fn enqueue(&self, cpu: CpuId, task: Runnable, reason: Reason) -> Placed {
        let cpu = self.queues.place(cpu, &task, reason);
        self.queues.lock(cpu).push(task);
        Placed {
            cpu,
            preempts: false,
        }
    }

    fn exchange(&self, cpu: CpuId, running: Runnable, _: Reason) -> Option<Runnable> {
        let mut queue = self.queues.lock_bare(cpu);
        let Some(next) = queue.tasks.pop_front() else {
            return Some(running);
        };
        queue.tasks.push_back(running);
        Some(next)
    }

    fn pick(&self, cpu: CpuId, _: Option<&Task>) -> Option<Runnable> {
        self.queues.lock(cpu).pop()
    }

    fn steal(&self, cpu: CpuId) -> Option<Runnable> {
        self.queues.steal(cpu)
    }

    fn tick(&self, cpu: CpuId, _: &Task, ran: u64) -> Answer {
        let over = ran >= self.share_ticks.load(Ordering::Relaxed);
        // A task that runs alone needs no switch to itself.
        if over && (self.queues.waiting(cpu) > 0 || self.queues.pull(cpu)) {
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
