//! Preemptive round robin: every runnable task in turn, each for the same share.
//!
//! One queue serves all CPUs, so no CPU idles while a task waits; a policy that cares for caches or
//! priorities is another component behind the same trait. A task that blocks or yields before its
//! share is over gives up the rest.
//!
//! Neighbours: `task` owns the trait and looks at the answers. Left out: priorities, affinity.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::sync::Arc;
use component::{Handover, StartError};
use core::sync::atomic::{AtomicU32, Ordering};
use cpu::{CpuId, IrqMutex};
use task::{Answer, Reason, RunQueue, SchedulingPolicy, Task};

component::component! { start: start }

/// Timer ticks that a task may run before the next one gets its turn.
const SHARE_TICKS: u32 = 5;

/// CPUs that have a count of their own; further ones use the first one's, which makes shares shorter.
const MAX_CPUS: usize = 64;

#[used]
static POLICY: RoundRobin = RoundRobin {
    queue: IrqMutex::new(RunQueue::new()),
    used_ticks: [const { AtomicU32::new(0) }; MAX_CPUS],
};

fn start(_: &'static Handover) -> Result<(), StartError> {
    task::register_policy(&POLICY)?;
    Ok(())
}

struct RoundRobin {
    queue: IrqMutex<RunQueue>,
    /// For each CPU, the ticks that its running task has had since it was picked.
    used_ticks: [AtomicU32; MAX_CPUS],
}

impl RoundRobin {
    fn used_ticks(&self, cpu: CpuId) -> &AtomicU32 {
        let index = usize::try_from(cpu.0).unwrap_or(0);
        self.used_ticks.get(index).unwrap_or(&self.used_ticks[0])
    }
}

impl SchedulingPolicy for RoundRobin {
    fn name(&self) -> &'static str {
        "round robin"
    }

    fn enqueue(&self, _: CpuId, task: Arc<Task>, _: Reason) -> Result<(), Arc<Task>> {
        self.queue.lock().push_back(task)
    }

    fn pick(&self, cpu: CpuId) -> Option<Arc<Task>> {
        self.used_ticks(cpu).store(0, Ordering::Relaxed);
        self.queue.lock().pop_front()
    }

    fn tick(&self, cpu: CpuId, _: &Task) -> Answer {
        let used = self.used_ticks(cpu).fetch_add(1, Ordering::Relaxed);
        // A task that runs alone needs no switch to itself.
        if used.saturating_add(1) < SHARE_TICKS || self.queue.lock().is_empty() {
            Answer::Continue
        } else {
            Answer::Preempt
        }
    }
}
