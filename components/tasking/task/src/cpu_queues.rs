//! A run queue for each CPU, and what moves tasks between them: what policies have in common.

use crate::{Reason, Runnable, Task, per_cpu};
use core::sync::atomic::{AtomicUsize, Ordering};
use cpu::{BareGuard, CpuId, IrqMutex, MAX_CPUS};

/// The tasks that wait for one CPU, in the order of a policy.
pub trait CpuQueue: Send {
    /// A queue without tasks.
    const EMPTY: Self;

    /// How many tasks are in it.
    fn len(&self) -> usize;

    /// Whether no task is in it.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes out the first task that is `wanted`, for another CPU.
    fn take_first(&mut self, wanted: impl Fn(&Task) -> bool) -> Option<Runnable>;

    /// Adds a task that was taken out of another CPU's queue.
    fn push_moved(&mut self, task: Runnable);

    /// Forgets all tasks without a look at them. Whatever else it keeps must stay.
    fn forget_all(&mut self)
    where
        Self: Sized,
    {
        core::mem::forget(core::mem::replace(self, Self::EMPTY));
    }
}

/// A queue for each CPU.
pub struct CpuQueues<Q> {
    shares: [Share<Q>; MAX_CPUS],
}

/// What a CPU has of its own, on lines of its own, since others look at it.
#[repr(align(64))]
struct Share<Q> {
    queue: IrqMutex<Q>,
    /// How many tasks were in the queue when its lock was last released.
    waiting: AtomicUsize,
}

/// The right to use a CPU's queue.
pub struct QueueGuard<'a, Q: CpuQueue> {
    queue: BareGuard<'a, Q>,
    waiting: &'a AtomicUsize,
}

impl<Q: CpuQueue> core::ops::Deref for QueueGuard<'_, Q> {
    type Target = Q;

    #[inline]
    fn deref(&self) -> &Q {
        &self.queue
    }
}

impl<Q: CpuQueue> core::ops::DerefMut for QueueGuard<'_, Q> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Q {
        &mut self.queue
    }
}

impl<Q: CpuQueue> Drop for QueueGuard<'_, Q> {
    #[inline]
    fn drop(&mut self) {
        self.waiting.store(self.queue.len(), Ordering::Relaxed);
    }
}

impl<Q: CpuQueue> CpuQueues<Q> {
    /// Empty queues.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            shares: [const {
                Share {
                    queue: IrqMutex::new(Q::EMPTY),
                    waiting: AtomicUsize::new(0),
                }
            }; MAX_CPUS],
        }
    }

    #[inline]
    fn share(&self, cpu: CpuId) -> &Share<Q> {
        // No CPU has a number beyond the last share's.
        self.shares
            .get(cpu.index() % MAX_CPUS)
            .unwrap_or(&self.shares[0])
    }

    /// The queue of `cpu`. Interrupts must be off, as they are in all methods of a policy.
    #[inline]
    pub fn lock(&self, cpu: CpuId) -> QueueGuard<'_, Q> {
        let share = self.share(cpu);
        QueueGuard {
            queue: share.queue.lock_bare(),
            waiting: &share.waiting,
        }
    }

    /// As [`CpuQueues::lock`], unless another CPU has the lock: for a path that is to be without any
    /// call.
    #[inline(always)]
    pub fn try_lock(&self, cpu: CpuId) -> Option<QueueGuard<'_, Q>> {
        let share = self.share(cpu);
        let queue = share.queue.try_lock_bare()?;
        Some(QueueGuard {
            queue,
            waiting: &share.waiting,
        })
    }

    /// As [`CpuQueues::lock`], for a change that leaves the number of the tasks as it is.
    #[inline]
    pub fn lock_bare(&self, cpu: CpuId) -> BareGuard<'_, Q> {
        self.share(cpu).queue.lock_bare()
    }

    /// As [`CpuQueues::lock_bare`] and [`CpuQueues::try_lock`].
    #[inline(always)]
    pub fn try_lock_bare(&self, cpu: CpuId) -> Option<BareGuard<'_, Q>> {
        self.share(cpu).queue.try_lock_bare()
    }

    /// Does something to each queue, whether interrupts are on or off.
    pub fn for_each(&self, operation: impl Fn(&mut Q)) {
        for share in &self.shares {
            operation(&mut share.queue.lock());
        }
    }

    /// How many tasks wait for `cpu`, without its lock.
    #[must_use]
    #[inline]
    pub fn waiting(&self, cpu: CpuId) -> usize {
        self.share(cpu).waiting.load(Ordering::Relaxed)
    }

    /// The CPU that is to run `task`: the one that it ran on if that idles, else one that does, else
    /// the one for which the fewest wait. One that moved stays where it was, if it may.
    #[must_use]
    #[inline]
    pub fn place(&self, cpu: CpuId, task: &Task, reason: Reason) -> CpuId {
        if cpu::alone() {
            cpu
        } else {
            self.place_among(cpu, task, reason)
        }
    }

    #[inline(never)]
    fn place_among(&self, cpu: CpuId, task: &Task, reason: Reason) -> CpuId {
        let allowed = task.allowed_cpus();
        let before = match reason {
            Reason::Woken => task.cpu(),
            _ => cpu,
        };
        if reason == Reason::Moved && allowed.contains(before) {
            return before;
        }
        let idle = allowed.and(per_cpu::idle_cpus());
        let free = |cpu: &CpuId| idle.contains(*cpu) && self.waiting(*cpu) == 0;
        if free(&before) {
            return before;
        }
        // The CPU before wins among equals.
        let load = |cpu: &CpuId| (self.waiting(*cpu), *cpu != before);
        idle.iter()
            .find(free)
            .or_else(|| allowed.iter().min_by_key(load))
            .unwrap_or(cpu)
    }

    /// Forgets all tasks without a look at them; see [`crate::SchedulingPolicy::forget_all`].
    pub fn forget_all(&self) {
        for share in &self.shares {
            share.queue.lock().forget_all();
            share.waiting.store(0, Ordering::Relaxed);
        }
    }

    /// A task of the longest queue for `cpu`, which has none; from any queue, if all that wait in the
    /// longest one are bound to other CPUs.
    pub fn steal(&self, cpu: CpuId) -> Option<Runnable> {
        let online = cpu::online_cpus();
        let longest = online.iter().max_by_key(|cpu| self.waiting(*cpu))?;
        let take = |from| self.take(from, cpu, 1);
        take(longest).or_else(|| online.iter().find_map(take))
    }

    /// Takes a task over for `cpu` from one for which two or more wait, so that no task has a CPU for
    /// itself while others share one; whether there was one.
    pub fn pull(&self, cpu: CpuId) -> bool {
        if cpu::alone() {
            return false;
        }
        let longest = cpu::online_cpus()
            .iter()
            .max_by_key(|cpu| self.waiting(*cpu));
        let task = longest.and_then(|longest| self.take(longest, cpu, 2));
        task.map(|task| self.lock(cpu).push_moved(task)).is_some()
    }

    fn take(&self, from: CpuId, cpu: CpuId, least: usize) -> Option<Runnable> {
        if from == cpu || self.waiting(from) < least {
            return None;
        }
        // One that is on its way off a CPU is that CPU's.
        let wanted = |task: &Task| !task.is_on_cpu() && task.allowed_cpus().contains(cpu);
        self.lock(from).take_first(wanted)
    }
}

impl<Q: CpuQueue> Default for CpuQueues<Q> {
    fn default() -> Self {
        Self::new()
    }
}
