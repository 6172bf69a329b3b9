//! A channel, as both of its sides see it.

use crate::{
    Closed, TryReceiveError, TrySendError,
    state::{OfferNumber, Side, State, Taken},
};
use alloc::sync::Arc;
use core::{mem, sync::atomic::AtomicUsize};
use cpu::{IrqGuard, IrqMutex};
use task::{Current, Kicked, Task, Waiter};
use wait_queue::Chosen;

pub(crate) struct Shared<T> {
    state: IrqMutex<State<T>>,
    pub(crate) senders: AtomicUsize,
    pub(crate) receivers: AtomicUsize,
}

/// What a channel holds, locked.
pub(crate) type Locked<'a, T> = IrqGuard<'a, State<T>>;

impl<T> Shared<T> {
    pub(crate) fn new(limit: usize, room: usize) -> Arc<Self> {
        Arc::new(Self {
            state: IrqMutex::new(State::new(limit, room)),
            senders: AtomicUsize::new(1),
            receivers: AtomicUsize::new(1),
        })
    }

    /// Ends the channel.
    pub(crate) fn close(&self) {
        let (senders, receivers) = {
            let mut state = self.state.lock();
            state.close();
            (state.senders.take(), state.receivers.take())
        };
        senders.wake_all();
        receivers.wake_all();
        loop {
            let offering = self.state.lock().next_offering();
            match offering {
                Some(sender) => sender.wake(),
                None => return,
            }
        }
    }

    /// Drops what nobody will receive.
    pub(crate) fn clear(&self) {
        let values = self.state.lock().clear();
        drop(values); // Not under the lock: that may run anybody's code.
    }

    pub(crate) fn len(&self) -> usize {
        self.state.lock().len()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state.lock().is_closed()
    }

    /// Sends `value`, if that is done in a few steps and without a wait; gives it back if not.
    #[inline(always)]
    pub(crate) fn send_quickly(&self, value: T) -> Result<(), T> {
        let Some(mut state) = self.state.try_lock() else {
            return Err(value);
        };
        state.put_quickly(value)?;
        if let Some(receiver) = state.receivers.pop_only() {
            receiver.wake_within(IrqGuard::unlock(state));
        } else if !state.receivers.is_empty() {
            let receiver = state.receivers.pop();
            drop(state);
            wake(receiver);
        }
        Ok(())
    }

    #[inline]
    pub(crate) fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        let mut value = value;
        loop {
            let mut state = self.state.lock();
            match state.put(value) {
                Ok(receiver) => {
                    drop(state);
                    wake(receiver);
                    return Ok(());
                }
                Err(TrySendError::Full(back)) if state.is_out_of_room() => {
                    let room = state.room();
                    let lacks_memory = state.can_send();
                    drop(state);
                    if !lacks_memory || !self.enlarge(room) {
                        return Err(TrySendError::Full(back));
                    }
                    value = back;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Makes room for more than `room` values; whether it could: an interrupt handler does not ask for
    /// memory.
    #[cold]
    #[inline(never)]
    fn enlarge(&self, room: usize) -> bool {
        if cpu::interrupt_nesting() > 0 {
            return false;
        }
        let larger = State::new(0, room.saturating_mul(2).max(4));
        let smaller = self.state.lock().enlarge(larger);
        drop(smaller);
        true
    }

    #[inline]
    pub(crate) fn try_receive(&self) -> Result<T, TryReceiveError> {
        let mut state = self.state.lock();
        let taken = state.take();
        let closed = state.is_closed();
        drop(state);
        match taken {
            Some(taken) => Ok(received(taken)),
            None if closed => Err(TryReceiveError::Closed),
            None => Err(TryReceiveError::Empty),
        }
    }

    /// Receives the next value, if that is done in a few steps; else what it has locked already, if it
    /// has, for [`Shared::receive_next`].
    #[inline(always)]
    pub(crate) fn receive_quickly(&self) -> Result<T, Option<Locked<'_, T>>> {
        let Some(mut state) = self.state.try_lock() else {
            return Err(None);
        };
        state.take_quickly().ok_or(Some(state))
    }

    /// Whether a task that finds no value has only to wait for one: [`Shared::receive_next`].
    #[inline(always)]
    pub(crate) fn has_only_to_wait(&self, state: &Locked<'_, T>) -> bool {
        IrqGuard::were_enabled(state) && !task::has_requests() && state.is_open_and_empty()
    }

    /// Waits once for the next value, under the lock that `state` is.
    ///
    /// # Errors
    ///
    /// When everything is to be looked at again, under this lock: the task may still be in the queue, or have
    /// been chosen, so there must be no safe point before the look.
    #[inline(always)] // On the way of every message between two tasks.
    pub(crate) fn receive_next<'a>(&'a self, state: Locked<'a, T>) -> Result<T, Locked<'a, T>> {
        let Some(me) = Current::get() else {
            return Err(state);
        };
        let mut state = state;
        state.receivers.push_task(&me);
        // Nothing comes between the queue and the block.
        let off = IrqGuard::unlock(state);
        task::block_within(&off);
        let mut state = self.state.lock_within(off);
        let Some(value) = state.take_quickly() else {
            return Err(self.look_up_queued(state, &me));
        };
        state.receivers.remove_task(&me);
        Ok(value)
    }

    /// A safe point for a task that may be in the queue of those who receive, or chosen; the lock again.
    #[cold]
    #[inline(never)]
    fn look_up_queued<'a>(&'a self, state: Locked<'a, T>, me: &Task) -> Locked<'a, T> {
        drop(state);
        let queued = Queued {
            shared: self,
            side: Side::Receive,
            me,
        };
        task::safe_point();
        if task::kicked() {
            drop(queued);
        } else {
            mem::forget(queued); // It looks again.
        }
        self.state.lock()
    }

    /// Receives the next value, waiting for it, until `deadline_ns` at most.
    pub(crate) fn receive(
        &self,
        state: Option<Locked<'_, T>>,
        deadline_ns: Option<u64>,
    ) -> Result<Result<T, TryReceiveError>, Kicked> {
        // Before there are tasks only an interrupt handler can send.
        let Some(me) = Current::get() else {
            drop(state);
            return Ok(self.poll_receive());
        };
        let mut state = state.unwrap_or_else(|| self.state.lock());
        loop {
            if let Some(taken) = state.take() {
                state.receivers.remove_task(&me);
                drop(state);
                return Ok(Ok(received(taken)));
            }
            if state.is_closed() {
                state.receivers.remove_task(&me);
                return Ok(Err(TryReceiveError::Closed));
            }
            let sender = state.expect_value(&me);
            if !self.wait(state, sender, Side::Receive, &me, deadline_ns)? {
                return Ok(self.try_receive());
            }
            state = self.state.lock();
        }
    }

    #[cold]
    fn poll_receive(&self) -> Result<T, TryReceiveError> {
        loop {
            match self.try_receive() {
                Err(TryReceiveError::Empty) => core::hint::spin_loop(),
                result => return result,
            }
        }
    }

    /// Sends what is in `value`, waiting for room; it stays there when the channel is closed.
    pub(crate) fn send(&self, value: &mut Option<T>) -> Result<Result<(), Closed>, Kicked> {
        loop {
            let Some(taken) = value.take() else {
                return Ok(Ok(()));
            };
            match self.try_send(taken) {
                Ok(()) => return Ok(Ok(())),
                Err(TrySendError::Closed(back)) => {
                    *value = Some(back);
                    return Ok(Err(Closed));
                }
                Err(TrySendError::Full(back)) => *value = Some(back),
            }
            let Some(me) = Current::get() else { continue };
            let mut state = self.state.lock();
            if state.meets() {
                drop(state);
                self.offer_and_wait(&me, value)?;
                continue;
            }
            if state.can_send() {
                state.senders.remove_task(&me);
                continue;
            }
            state.senders.push_task(&me);
            self.wait(state, None, Side::Send, &me, None)?;
            self.state.lock().senders.remove_task(&me);
        }
    }

    /// Offers what is in `value`, until it is received; it is there again when it is not.
    fn offer_and_wait(&self, me: &Arc<Task>, value: &mut Option<T>) -> Result<(), Kicked> {
        let waiting = || Chosen::Task(Arc::clone(me));
        let Some(number) = self.offer(value, waiting) else {
            return Ok(());
        };
        let offer = Offered {
            shared: self,
            number,
            value,
        };
        loop {
            wait_queue::check_may_block();
            if !me.must_leave() {
                task::block();
            }
            task::safe_point();
            if task::kicked() {
                return Err(Kicked); // Dropping the offer withdraws it, unless it was received.
            }
            let mut state = self.state.lock();
            let closed = state.is_closed();
            let open = state.renew(number, waiting);
            drop(state);
            if !open {
                mem::forget(offer);
                return Ok(());
            }
            if closed {
                return Ok(());
            }
        }
    }

    /// Offers what is in `value` to whoever waits or comes; `None` when the channel is closed.
    pub(crate) fn offer(
        &self,
        value: &mut Option<T>,
        sender: impl FnOnce() -> Chosen,
    ) -> Option<OfferNumber> {
        let mut sender = Some(sender);
        loop {
            let mut state = self.state.lock();
            if state.is_closed() {
                return None;
            }
            if state.is_out_of_room() {
                let room = state.room();
                drop(state);
                self.enlarge(room);
                continue;
            }
            let number = state.offer(value.take()?, sender.take().map(|sender| sender()));
            let receiver = state.receivers.pop();
            drop(state);
            wake(receiver);
            return Some(number);
        }
    }

    /// Whether an offer is still open; then `sender` is told when it is received, or the channel closed.
    pub(crate) fn renew(&self, number: OfferNumber, sender: impl FnOnce() -> Chosen) -> bool {
        self.state.lock().renew(number, sender)
    }

    /// Takes an offer back; `None` when it has been received.
    pub(crate) fn withdraw(&self, number: OfferNumber) -> Option<T> {
        self.state.lock().withdraw(number)
    }

    /// Whether values go from hand to hand.
    pub(crate) fn meets(&self) -> bool {
        self.state.lock().meets()
    }

    /// Blocks the current task, which is in the queue of `side`, until it is chosen; the lock that `state` is
    /// is released, and `other` woken, before. `false` when it is too late for another look, and then it is in
    /// the queue no more.
    fn wait(
        &self,
        state: Locked<'_, T>,
        other: Option<Chosen>,
        side: Side,
        me: &Task,
        deadline_ns: Option<u64>,
    ) -> Result<bool, Kicked> {
        let may_block = IrqGuard::were_enabled(&state);
        // Whoever is woken does not run before this task blocks.
        let off = IrqGuard::unlock(state);
        let queued = Queued {
            shared: self,
            side,
            me,
        };
        if !may_block {
            wait_queue::check_may_block();
        }
        wake(other);
        if me.must_leave() {
            drop(off);
        } else if deadline_ns.is_none() {
            task::block_within(&off);
            drop(off);
        } else {
            drop(off);
            task::block_until(deadline_ns);
        }
        task::safe_point();
        if task::kicked() {
            return Err(Kicked);
        }
        if deadline_ns.is_some_and(|deadline_ns| task::now_ns() >= deadline_ns) {
            return Ok(false);
        }
        // In the queue or chosen, it looks again.
        mem::forget(queued);
        Ok(true)
    }

    /// Whether an operation of this side would not wait.
    pub(crate) fn is_ready(&self, side: Side) -> bool {
        let state = self.state.lock();
        match side {
            Side::Send => state.can_send(),
            Side::Receive => state.can_receive(),
        }
    }

    /// Has `waiter` woken when an operation of this side might not wait.
    pub(crate) fn enlist(&self, side: Side, waiter: &Arc<Waiter>) {
        let sender = self.state.lock().enlist(side, waiter);
        wake(sender);
    }

    /// Has it woken no more.
    pub(crate) fn delist(&self, side: Side, waiter: &Waiter) {
        let other = self.state.lock().leave_other(side, waiter);
        wake(other);
    }
}

#[inline]
fn wake(chosen: Option<Chosen>) {
    if let Some(chosen) = chosen {
        chosen.wake();
    }
}

#[inline]
fn received<T>((value, sender): Taken<T>) -> T {
    wake(sender);
    value
}

/// A task in one of a channel's queues, or chosen. Dropping it takes it out, and lets somebody else be
/// chosen if the task was and will not look.
struct Queued<'a, T> {
    shared: &'a Shared<T>,
    side: Side,
    me: &'a Task,
}

impl<T> Drop for Queued<'_, T> {
    fn drop(&mut self) {
        let other = self.shared.state.lock().leave(self.side, self.me);
        wake(other);
    }
}

/// A value that is offered. Dropping it takes the value back.
struct Offered<'a, T> {
    shared: &'a Shared<T>,
    number: OfferNumber,
    value: &'a mut Option<T>,
}

impl<T> Drop for Offered<'_, T> {
    fn drop(&mut self) {
        *self.value = self.shared.withdraw(self.number);
    }
}
