//! The fair policy: each task gets the share of a CPU that its weight asks for.
//!
//! Earliest eligible virtual deadline first (Stoica, Abdel-Wahab: Earliest Eligible Virtual Deadline
//! First, 1995). Each CPU has a virtual time that runs the slower, the more weight there is for it. A
//! task has a virtual *start*, up to which it has had its share, and a virtual *deadline*, by which it is
//! due a slice more. It is eligible when its start has come: it has not had more than its share. Of those
//! that are eligible the one with the earliest deadline runs.
//!
//! Principles: a task that runs pays for its time in units of its own weight, so that what it was given
//! is the same to all. Time is charged by the *grain*, so that a task that runs for a moment only, as
//! between two yields, costs no arithmetic; nobody is ahead by more than that for it. One that blocks
//! keeps how far it is ahead or behind; of what it is behind, a slice at the most, so that nobody saves
//! up. One that yields lets another run whatever the deadlines say. No step looks at all tasks.
//!
//! Where a task goes and how the CPUs balance is [`CpuQueues`]'s affair; a task that moves takes its
//! distance from the virtual time along.
//!
//! Neighbours: `task` owns the trait and looks at the answers.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

mod queue;

use component::{Handover, StartError};
use cpu::CpuId;
use queue::Queue;
use task::{Answer, CpuQueues, Placed, Reason, Runnable, SchedulingPolicy, Task, Woken};

component::component! { start: start, stop: stop }

/// How long a task of normal weight runs for each of its deadlines.
const SLICE_NS: u64 = 8_000_000;

#[used]
static POLICY: Fair = Fair {
    queues: CpuQueues::new(),
};

fn start(_: &'static Handover) -> Result<(), StartError> {
    let slice = clock::ns_to_ticks(SLICE_NS).max(1);
    POLICY.queues.for_each(|queue| queue.set_slice(slice));
    task::register_policy(env!("CARGO_PKG_NAME"), &POLICY)
}

fn stop() -> Result<(), StartError> {
    task::unregister_policy(env!("CARGO_PKG_NAME")).map_err(Into::into)
}

struct Fair {
    queues: CpuQueues<Queue>,
}

impl Fair {
    #[inline(never)]
    fn pick_slowly(&self, cpu: CpuId, left: Option<&Task>) -> Option<Runnable> {
        let mut queue = self.queues.lock(cpu);
        if let Some(task) = left {
            queue.forget(task);
        }
        queue.pop_best()
    }

    #[inline(never)]
    fn wake_slowly(&self, cpu: CpuId, running: Runnable, woken: Runnable) -> Woken {
        let placed = self.enqueue(cpu, woken, Reason::Woken);
        if placed.preempts && placed.cpu == cpu {
            self.exchange_slowly_for_woken(cpu, running)
        } else {
            Woken::elsewhere(cpu, Some(running), placed)
        }
    }

    #[inline(never)]
    fn exchange_slowly_for_woken(&self, cpu: CpuId, running: Runnable) -> Woken {
        Woken::here(self.exchange_slowly(cpu, running, Reason::Preempted))
    }

    #[cold]
    #[inline(never)]
    fn exchange_slowly(&self, cpu: CpuId, running: Runnable, reason: Reason) -> Option<Runnable> {
        let mut queue = self.queues.lock_bare(cpu);
        match reason {
            Reason::Yielded => queue.exchange_for_another(running),
            _ => queue.exchange_for_best(running),
        }
    }
}

impl SchedulingPolicy for Fair {
    fn name(&self) -> &'static str {
        "fair"
    }

    fn enqueue(&self, cpu: CpuId, task: Runnable, reason: Reason) -> Placed {
        let cpu = self.queues.place(cpu, &task, reason);
        let preempts = self.queues.lock(cpu).push_new(task);
        Placed { cpu, preempts }
    }

    fn exchange(&self, cpu: CpuId, running: Runnable, reason: Reason) -> Option<Runnable> {
        let mut running = running;
        if reason == Reason::Yielded
            && let Some(mut queue) = self.queues.try_lock_bare(cpu)
        {
            match queue.exchange_for_only(running) {
                Ok(next) => return Some(next),
                Err(back) => running = back,
            }
        }
        self.exchange_slowly(cpu, running, reason)
    }

    fn wake(&self, cpu: CpuId, running: Runnable, woken: Runnable) -> Woken {
        if cpu::alone()
            && let Some(mut queue) = self.queues.try_lock(cpu)
            && queue.is_simple(&running, &woken)
        {
            return match queue.exchange_for_woken(running, woken) {
                Ok(next) => Woken::here(Some(next)),
                Err(running) => {
                    drop(queue);
                    self.exchange_slowly_for_woken(cpu, running)
                }
            };
        }
        self.wake_slowly(cpu, running, woken)
    }

    fn pick(&self, cpu: CpuId, left: Option<&Task>) -> Option<Runnable> {
        if let Some(left) = left
            && let Some(mut queue) = self.queues.try_lock(cpu)
            && let Some(next) = queue.pop_only(left)
        {
            return Some(next);
        }
        self.pick_slowly(cpu, left)
    }

    fn steal(&self, cpu: CpuId) -> Option<Runnable> {
        let task = self.queues.steal(cpu)?;
        self.queues.lock(cpu).adopt(&task);
        Some(task)
    }

    fn tick(&self, cpu: CpuId, running: &Task, ran: u64) -> Answer {
        // A task that runs alone needs no switch to itself.
        if queue::slice_is_over(running, ran)
            && (self.queues.waiting(cpu) > 0 || self.queues.pull(cpu))
        {
            Answer::Preempt
        } else {
            Answer::Continue
        }
    }

    fn give_up(&self, cpu: CpuId) -> Option<Runnable> {
        self.queues.lock(cpu).pop_any()
    }

    fn forget_all(&self) {
        self.queues.forget_all();
    }
}
