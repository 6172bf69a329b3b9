//! The tasks that wait for one CPU, and its virtual time.
//!
//! Virtual time is in ticks of the time-stamp counter as a task of normal weight that has the CPU for
//! itself would count them.

use task::{CpuQueue, INVERSE_WEIGHT_SHIFT, KeyedQueue, Priority, Runnable, Task};

/// The words that this policy keeps in each task. Its virtual start, while it has a CPU or waits for
/// one, and else how far that is from the virtual time.
const START: usize = 0;
/// Its virtual deadline.
const DEADLINE: usize = 1;
/// The weight with which it counts for its CPU; 0 when it does not.
const WEIGHT: usize = 2;
/// What it has been charged for, of [`Task::cpu_ticks`].
const CHARGED: usize = 3;

/// Where virtual time begins: so far from 0 that nothing is ever before 0.
const BEGIN: u64 = 1 << 48;

/// Slices that a task which comes may be ahead of the virtual time.
const MOST_AHEAD: u64 = 64;

/// Grains in a slice.
const GRAINS: u64 = 64;
/// Graces in a slice.
const GRACES: u64 = 16;

/// The longest turn that is charged for, in slices.
const LONGEST_TURN: u64 = 4;

/// Binary digits behind the point of [`Queue::pace`].
const PACE_SHIFT: u32 = 32;

/// The tasks that wait for one CPU.
pub(crate) struct Queue {
    /// Those that may be eligible, by their deadlines.
    ready: KeyedQueue<DEADLINE>,
    /// Those that have been found to be ahead of their share, by their starts.
    early: KeyedQueue<START>,
    /// The CPU's virtual time.
    now: u64,
    /// The weight of all that wait, and of the one that runs.
    weight: u64,
    /// How fast virtual time runs: the normal weight divided by that. 0 when it has to be computed.
    pace: u64,
    /// The deadline of the task that was taken out last, and runs.
    running: u64,
    length: usize,
    /// How long a task of normal weight runs for each of its deadlines.
    slice: u64,
    /// The most that a task which comes may be ahead of the virtual time, and the slice that it may be
    /// behind.
    span: u64,
    /// The time that is charged at once.
    grain: u64,
    /// By how much a task may be ahead of its share and still be eligible.
    grace: u64,
    /// The last virtual start with which a task is eligible now.
    eligible: u64,
}

/// What `ticks` are worth to the task.
#[inline]
fn scaled(task: &Task, ticks: u64) -> u64 {
    scale(
        ticks,
        u64::from(task.inverse_weight()),
        INVERSE_WEIGHT_SHIFT,
    )
}

#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the time that a task has run fits in a word, and so does 36 times as much"
)]
fn scale(ticks: u64, factor: u64, shift: u32) -> u64 {
    ((u128::from(ticks) * u128::from(factor)) >> shift) as u64
}

/// The time for which the task has not been charged yet, less the turn that it has now.
#[inline]
fn uncharged(task: &Task) -> u64 {
    task.cpu_ticks().wrapping_sub(task.policy_word(CHARGED))
}

/// Whether the running task, which has run for `ran` ticks in this turn, has had what its deadline was
/// for.
pub(crate) fn slice_is_over(task: &Task, ran: u64) -> bool {
    let ran = uncharged(task).wrapping_add(ran);
    task.policy_word(START).wrapping_add(scaled(task, ran)) >= task.policy_word(DEADLINE)
}

/// Gives the task, which has had its share up to `start`, a deadline for another slice.
#[inline]
fn renew(task: &Task, start: u64, slice: u64) -> u64 {
    let due = start.wrapping_add(scaled(task, slice));
    task.set_policy_word(DEADLINE, due);
    due
}

/// Takes notice that the task gives up its turn: the next one of its own is a slice later.
#[inline(always)]
fn postpone(task: &Task, slice: u64) {
    let deadline = task.policy_word(DEADLINE).wrapping_add(slice);
    task.set_policy_word(DEADLINE, deadline);
}

impl Queue {
    /// Says how long a slice is.
    pub(crate) fn set_slice(&mut self, slice: u64) {
        self.slice = slice;
        self.span = slice.saturating_mul(MOST_AHEAD + 1);
        self.grain = slice / GRAINS;
        self.grace = slice / GRACES;
        self.set_now(self.now);
    }

    #[inline]
    fn set_now(&mut self, now: u64) {
        self.now = now;
        self.eligible = now.wrapping_add(self.grace);
    }

    /// Lets the task pay for what it has run.
    #[cold]
    fn charge(&mut self, task: &Task) {
        let slice = self.slice;
        if task.policy_word(WEIGHT) == 0 {
            // Another policy let it run.
            self.count_in(task);
            task.set_policy_word(CHARGED, task.cpu_ticks());
            task.set_policy_word(START, self.now);
        }
        // A tick ends a longer turn while others wait, so what is beyond that is time for which the CPU
        // stood still, as that of a virtual machine does, and not the task's.
        let ran = uncharged(task).min(slice.saturating_mul(LONGEST_TURN));
        task.set_policy_word(CHARGED, task.cpu_ticks());
        if self.pace == 0 {
            let normal = u64::from(Priority::NORMAL.weight()) << PACE_SHIFT;
            self.pace = normal.checked_div(self.weight).unwrap_or(normal).max(1);
        }
        self.set_now(self.now.wrapping_add(scale(ran, self.pace, PACE_SHIFT)));
        let start = task.policy_word(START).max(self.now.saturating_sub(slice));
        task.set_policy_word(START, start.wrapping_add(scaled(task, ran)));
        // Yields since the last time have moved the deadline, by more than they were worth together.
        let due = task.policy_word(START).wrapping_add(scaled(task, slice));
        if task.policy_word(DEADLINE) > due {
            task.set_policy_word(DEADLINE, due);
        }
    }

    /// Lets a task that leaves remember only how far it is from the virtual time.
    pub(crate) fn forget(&mut self, task: &Task) {
        if uncharged(task) >= self.grain || task.policy_word(WEIGHT) == 0 {
            self.charge(task);
        }
        self.count_out(task);
    }

    /// The other way: for a task that comes. Its virtual start and deadline.
    #[inline]
    pub(crate) fn adopt(&mut self, task: &Task) -> (u64, u64) {
        let mut distance = task.policy_word(START);
        if distance.wrapping_add(self.slice) > self.span {
            distance = self.limited(distance);
        }
        let start = self.now.wrapping_add(distance);
        task.set_policy_word(START, start);
        let due = renew(task, start, self.slice);
        self.count_in(task);
        (start, due)
    }

    /// The distance from the virtual time that is granted to a task which comes with `distance`: nobody
    /// saves up more than a slice, and what anybody can be ahead is limited, too, since the virtual time of a
    /// CPU may stand still while nothing runs there.
    #[cold]
    fn limited(&self, distance: u64) -> u64 {
        if distance.cast_signed() < 0 {
            self.slice.wrapping_neg()
        } else {
            self.span.wrapping_sub(self.slice)
        }
    }

    #[inline]
    fn count_in(&mut self, task: &Task) {
        let weight = u64::from(task.weight());
        task.set_policy_word(WEIGHT, weight);
        self.weight = self.weight.wrapping_add(weight);
        self.pace = 0;
    }

    #[inline]
    fn count_out(&mut self, task: &Task) {
        let start = task.policy_word(START).wrapping_sub(self.now);
        task.set_policy_word(START, start);
        self.weight -= task.policy_word(WEIGHT).min(self.weight);
        task.set_policy_word(WEIGHT, 0);
        self.pace = 0;
    }

    /// Adds a task that was blocked, or is new. Whether it should run before the one that runs.
    pub(crate) fn push_new(&mut self, task: Runnable) -> bool {
        // One that a fault took off its CPU half way counts already.
        if task.policy_word(WEIGHT) == 0 {
            self.adopt(&task);
        }
        // Time that the running one has had since it was charged is not counted, which favours it: a
        // task of equal weight does not preempt, one of greater weight does.
        let preempts = task.policy_word(DEADLINE) < self.running;
        self.push(task);
        preempts
    }

    #[inline]
    fn push(&mut self, task: Runnable) {
        self.ready.push(task);
        self.length += 1;
    }

    /// Takes the best task out after `running` has been put in.
    #[inline(never)]
    pub(crate) fn exchange_for_best(&mut self, running: Runnable) -> Option<Runnable> {
        self.charge(&running);
        if running.policy_word(START) >= running.policy_word(DEADLINE) {
            renew(&running, running.policy_word(START), self.slice);
        }
        if self.length == 0 {
            return Some(running);
        }
        self.ready.push(running);
        self.take_best()
    }

    /// Takes the best of the others out, if there is one, and puts `running` in.
    pub(crate) fn exchange_for_another(&mut self, running: Runnable) -> Option<Runnable> {
        let Some(next) = self.take_best() else {
            return Some(running);
        };
        if uncharged(&running) >= self.grain {
            self.charge(&running);
        }
        postpone(&running, self.slice);
        self.ready.push(running);
        Some(next)
    }

    /// As [`Queue::exchange_for_another`] in the most frequent case, with little to be done: there is one
    /// other task, it is eligible, and nothing is to be charged.
    ///
    /// # Errors
    ///
    /// Gives `running` back when that is not the case.
    #[inline(always)]
    pub(crate) fn exchange_for_only(&mut self, running: Runnable) -> Result<Runnable, Runnable> {
        let eligible = |first: &Task| first.policy_word(START) <= self.eligible;
        if !self.early.is_empty()
            || !self.ready.first().is_some_and(eligible)
            || uncharged(&running) >= self.grain
        {
            return Err(running);
        }
        let slice = self.slice;
        let next = self.ready.replace_only(running, |it| postpone(it, slice))?;
        self.running = next.policy_word(DEADLINE);
        Ok(next)
    }

    /// Takes out the only task that waits, after `left` has gone, with little to be done: nothing is to be
    /// charged. `None`, and nothing has changed, when that is not the case.
    #[inline(always)]
    pub(crate) fn pop_only(&mut self, left: &Task) -> Option<Runnable> {
        if !self.early.is_empty() || uncharged(left) >= self.grain || left.policy_word(WEIGHT) == 0
        {
            return None;
        }
        let next = self.ready.pop_only()?;
        self.length = 0;
        self.count_out(left);
        // There is no other whose turn could come first, so this one's has.
        if next.policy_word(START) > self.eligible {
            self.set_now(next.policy_word(START));
        }
        self.running = next.policy_word(DEADLINE);
        Some(next)
    }

    /// Whether [`Queue::exchange_for_woken`] has little to do: nothing is to be charged, and nobody to be
    /// sorted.
    #[inline(always)]
    pub(crate) fn is_simple(&self, running: &Task, woken: &Task) -> bool {
        self.early.is_empty()
            && uncharged(running) < self.grain
            && running.policy_word(START) < running.policy_word(DEADLINE)
            && woken.policy_word(WEIGHT) == 0
    }

    /// Takes `woken` in, and gives it up again in the place of `running` if it should run before that and
    /// before all that wait; else `running`.
    ///
    /// # Errors
    ///
    /// Gives `running` back if it is to be exchanged for the best task that waits, which is another one.
    #[inline(always)]
    pub(crate) fn exchange_for_woken(
        &mut self,
        running: Runnable,
        woken: Runnable,
    ) -> Result<Runnable, Runnable> {
        let (start, due) = self.adopt(&woken);
        self.length = self.length.wrapping_add(1);
        // As in `push_new`: the time of the running one since it was charged is not counted.
        if due >= self.running {
            self.ready.push(woken);
            return Ok(running);
        }
        let is_before = |first: &Task| first.policy_word(DEADLINE) <= due;
        if start > self.eligible || self.ready.first().is_some_and(is_before) {
            self.ready.push(woken);
            return Err(running);
        }
        self.ready.push(running);
        self.running = due;
        Ok(woken)
    }

    /// As [`Queue::take_best`], when one task less waits afterwards.
    pub(crate) fn pop_best(&mut self) -> Option<Runnable> {
        let task = self.take_best()?;
        self.length -= 1;
        Some(task)
    }

    /// Takes out the task that should run.
    #[inline]
    fn take_best(&mut self) -> Option<Runnable> {
        let first = self.ready.first();
        let eligible = |first: &Task| first.policy_word(START) <= self.eligible;
        if self.early.is_empty() && first.is_some_and(eligible) {
            let task = self.ready.pop()?;
            self.running = task.policy_word(DEADLINE);
            return Some(task);
        }
        self.sort_and_take()
    }

    /// As [`Queue::take_best`], when tasks are ahead of their share.
    #[cold]
    #[inline(never)]
    fn sort_and_take(&mut self) -> Option<Runnable> {
        loop {
            self.admit();
            match self.ready.pop() {
                Some(task) if task.policy_word(START) <= self.eligible => {
                    self.running = task.policy_word(DEADLINE);
                    return Some(task);
                }
                Some(task) => self.early.push(task),
                // All have had their share, so the next one's turn has come.
                None => {
                    let task = self.early.pop()?;
                    self.set_now(self.now.max(task.policy_word(START)));
                    self.running = task.policy_word(DEADLINE);
                    return Some(task);
                }
            }
        }
    }

    /// Lets those compete whose start has come.
    fn admit(&mut self) {
        let eligible = self.eligible;
        let has_come = |first: &Task| first.policy_word(START) <= eligible;
        while self.early.first().is_some_and(has_come) {
            if let Some(task) = self.early.pop() {
                self.ready.push(task);
            }
        }
    }

    /// Takes out any task.
    pub(crate) fn pop_any(&mut self) -> Option<Runnable> {
        let Some(task) = self.ready.pop().or_else(|| self.early.pop()) else {
            // The one that runs counts anew when this policy hears of it again.
            self.weight = 0;
            self.pace = 0;
            return None;
        };
        self.length -= 1;
        self.count_out(&task);
        Some(task)
    }
}

impl CpuQueue for Queue {
    const EMPTY: Self = Self {
        ready: KeyedQueue::new(),
        early: KeyedQueue::new(),
        now: BEGIN,
        weight: 0,
        pace: 0,
        running: u64::MAX,
        length: 0,
        slice: 1,
        span: 1,
        grain: 0,
        grace: 0,
        eligible: BEGIN,
    };

    fn len(&self) -> usize {
        self.length
    }

    fn take_first(&mut self, wanted: impl Fn(&Task) -> bool) -> Option<Runnable> {
        let task = self.ready.take_first(&wanted);
        let task = task.or_else(|| self.early.take_first(&wanted))?;
        self.length -= 1;
        self.count_out(&task);
        Some(task)
    }

    fn push_moved(&mut self, task: Runnable) {
        self.adopt(&task);
        self.push(task);
    }

    fn forget_all(&mut self) {
        let slice = self.slice;
        core::mem::forget(core::mem::replace(self, Self::EMPTY));
        self.set_slice(slice);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After a fault in the scheduler every task's slice was a tick of the time-stamp counter.
    #[test]
    fn forgetting_the_tasks_keeps_the_slice() {
        let mut queue = Queue::EMPTY;
        queue.set_slice(64_000);
        queue.forget_all();
        assert_eq!(
            (queue.slice, queue.grain, queue.grace),
            (64_000, 1_000, 4_000)
        );
    }
}
