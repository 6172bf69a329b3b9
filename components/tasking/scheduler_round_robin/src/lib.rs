//! Preemptive round robin: every runnable task in turn, each for the same share.
//!
//! Each CPU has a queue of its own. A task that becomes runnable goes to the CPU that it ran on if
//! that idles, else to one that does, else to the one with the shortest queue; a CPU that has nothing
//! to run takes the task that waits in the longest queue. A task that blocks or yields before its
//! share is over gives up the rest.
//!
//! Neighbours: `task` owns the trait and looks at the answers. Left out: priorities, affinity.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::sync::Arc;
use component::{Handover, StartError};
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use cpu::{CpuId, IrqMutex, MAX_CPUS};
use task::{Answer, Reason, RunQueue, SchedulingPolicy, Task};

component::component! { start: start }

/// Timer ticks that a task may run before the next one gets its turn.
const SHARE_TICKS: u32 = 5;

#[used]
static POLICY: RoundRobin = RoundRobin {
    shares: [const { Share::new() }; MAX_CPUS],
};

fn start(_: &'static Handover) -> Result<(), StartError> {
    task::register_policy(&POLICY)?;
    Ok(())
}

struct RoundRobin {
    shares: [Share; MAX_CPUS],
}

/// What a CPU has of its own.
struct Share {
    queue: IrqMutex<RunQueue>,
    /// How many tasks are in the queue, to be read without its lock.
    waiting: AtomicUsize,
    /// Ticks that the running task has had since it was picked.
    used_ticks: AtomicU32,
}

impl Share {
    const fn new() -> Self {
        Self {
            queue: IrqMutex::new(RunQueue::new()),
            waiting: AtomicUsize::new(0),
            used_ticks: AtomicU32::new(0),
        }
    }

    fn push(&self, task: Arc<Task>) -> Result<(), Arc<Task>> {
        let mut queue = self.queue.lock();
        queue.push_back(task)?;
        // Only changed under the lock, so no read-and-write in one is needed.
        let waiting = self.waiting.load(Ordering::Relaxed);
        self.waiting.store(waiting + 1, Ordering::Relaxed);
        Ok(())
    }

    fn pop(&self) -> Option<Arc<Task>> {
        let mut queue = self.queue.lock();
        let task = queue.pop_front()?;
        let waiting = self.waiting.load(Ordering::Relaxed);
        self.waiting.store(waiting - 1, Ordering::Relaxed);
        Some(task)
    }

    fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

impl RoundRobin {
    fn share(&self, cpu: CpuId) -> &Share {
        // There is no CPU beyond the last share.
        self.shares.get(cpu.index()).unwrap_or(&self.shares[0])
    }

    /// The CPU that is to run `task`.
    fn place(&self, cpu: CpuId, task: &Task, reason: Reason) -> CpuId {
        if cpu::alone() || matches!(reason, Reason::Yielded | Reason::Preempted) {
            return cpu;
        }
        let before = if reason == Reason::New {
            cpu
        } else {
            task.cpu()
        };
        let idle = task::idle_cpus();
        let free = |cpu: &CpuId| idle & cpu.bit() != 0 && self.share(*cpu).waiting() == 0;
        if free(&before) {
            return before;
        }
        online()
            .find(free)
            .or_else(|| {
                // The CPU before wins among equals.
                let key = |cpu: &CpuId| (self.share(*cpu).waiting(), *cpu != before);
                online().min_by_key(key)
            })
            .unwrap_or(cpu)
    }
}

/// The CPUs that take part.
fn online() -> impl Iterator<Item = CpuId> {
    let cpus = cpu::online_cpus();
    (0..u64::BITS)
        .map(CpuId)
        .take_while(move |cpu| cpus >> cpu.0 != 0)
        .filter(move |cpu| cpus & cpu.bit() != 0)
}

impl SchedulingPolicy for RoundRobin {
    fn name(&self) -> &'static str {
        "round robin"
    }

    fn enqueue(&self, cpu: CpuId, task: Arc<Task>, reason: Reason) -> Result<CpuId, Arc<Task>> {
        let place = self.place(cpu, &task, reason);
        self.share(place).push(task)?;
        Ok(place)
    }

    fn pick(&self, cpu: CpuId) -> Option<Arc<Task>> {
        let share = self.share(cpu);
        share.used_ticks.store(0, Ordering::Relaxed);
        share.pop()
    }

    fn steal(&self, cpu: CpuId) -> Option<Arc<Task>> {
        self.share(cpu).used_ticks.store(0, Ordering::Relaxed);
        let waiting = |cpu: &CpuId| self.share(*cpu).waiting();
        let longest = online().max_by_key(waiting)?;
        if waiting(&longest) == 0 {
            return None;
        }
        self.share(longest).pop()
    }

    fn tick(&self, cpu: CpuId, _: &Task) -> Answer {
        let share = self.share(cpu);
        let used = share.used_ticks.fetch_add(1, Ordering::Relaxed);
        // A task that runs alone needs no switch to itself.
        if used.saturating_add(1) < SHARE_TICKS || share.waiting() == 0 {
            Answer::Continue
        } else {
            Answer::Preempt
        }
    }
}
