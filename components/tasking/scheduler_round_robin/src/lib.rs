//! Preemptive round robin: every runnable task in turn, each for the same share.
//!
//! Each CPU has a queue of its own. A task that becomes runnable goes to the CPU that it ran on if
//! that idles, else to one that does, else to the one with the shortest queue. A CPU that has nothing
//! to run takes a task that waits in the longest queue, and one that runs a task past its share, while
//! nobody waits there, one from a queue with several. Tasks stay on the CPUs that they are bound to.
//! A task that blocks or yields before its share is over gives up the rest.
//!
//! Neighbours: `task` owns the trait and looks at the answers. Left out: priorities.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::sync::Arc;
use component::{Handover, StartError};
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use cpu::{CpuId, CpuSet, IrqMutex, MAX_CPUS};
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

    /// Takes out the first task that may run on `cpu`.
    fn pop_for(&self, cpu: CpuId) -> Option<Arc<Task>> {
        let mut queue = self.queue.lock();
        let task = queue.take_first(|task| allowed(task).contains(cpu))?;
        let waiting = self.waiting.load(Ordering::Relaxed);
        self.waiting.store(waiting - 1, Ordering::Relaxed);
        Some(task)
    }

    fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

/// The CPUs that may run `task`.
fn allowed(task: &Task) -> CpuSet {
    let online = cpu::online_cpus();
    let bound = online.and(task.cpus());
    if bound.is_empty() { online } else { bound }
}

impl RoundRobin {
    fn share(&self, cpu: CpuId) -> &Share {
        // There is no CPU beyond the last share.
        self.shares.get(cpu.index()).unwrap_or(&self.shares[0])
    }

    /// Takes a task over from a CPU for which two or more wait, so that no task has a CPU for itself
    /// while others share one; whether there was one.
    fn pull(&self, cpu: CpuId) -> bool {
        if cpu::alone() {
            return false;
        }
        let waiting = |cpu: &CpuId| self.share(*cpu).waiting();
        let longest = cpu::online_cpus().iter().max_by_key(waiting);
        let longest = longest.filter(|longest| waiting(longest) > 1);
        longest
            .and_then(|longest| self.share(longest).pop_for(cpu))
            .is_some_and(|task| self.share(cpu).push(task).is_ok())
    }

    /// The CPU that is to run `task`.
    fn place(&self, cpu: CpuId, task: &Task, reason: Reason) -> CpuId {
        let stays = matches!(reason, Reason::Yielded | Reason::Preempted);
        if cpu::alone() || stays && task.cpus().contains(cpu) {
            return cpu;
        }
        let allowed = allowed(task);
        let before = match reason {
            Reason::New => cpu,
            _ => task.cpu(),
        };
        let idle = allowed.and(task::idle_cpus());
        let free = |cpu: &CpuId| idle.contains(*cpu) && self.share(*cpu).waiting() == 0;
        if free(&before) {
            return before;
        }
        // The CPU before wins among equals.
        let load = |cpu: &CpuId| (self.share(*cpu).waiting(), *cpu != before);
        idle.iter()
            .find(free)
            .or_else(|| allowed.iter().min_by_key(load))
            .unwrap_or(cpu)
    }
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
        let online = cpu::online_cpus();
        let longest = online.iter().max_by_key(waiting)?;
        let take = |from: CpuId| match waiting(&from) {
            0 => None,
            _ => self.share(from).pop_for(cpu),
        };
        // All that waits there may be bound to other CPUs.
        take(longest).or_else(|| online.iter().find_map(take))
    }

    fn tick(&self, cpu: CpuId, _: &Task) -> Answer {
        let share = self.share(cpu);
        let used = share.used_ticks.fetch_add(1, Ordering::Relaxed);
        // A task that runs alone needs no switch to itself.
        if used.saturating_add(1) < SHARE_TICKS || share.waiting() == 0 && !self.pull(cpu) {
            Answer::Continue
        } else {
            Answer::Preempt
        }
    }
}
