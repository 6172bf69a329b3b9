//! What a channel holds, under its lock: nothing here waits, wakes, allocates or drops a value.

use crate::TrySendError;
use alloc::{collections::VecDeque, sync::Arc};
use task::{Task, Waiter};
use wait_queue::{Chosen, Waiters};

/// Values, and who waits for what about them.
pub(crate) struct State<T> {
    /// The first value, if it came when there was no other: mostly there is only one, and no queue to be
    /// kept for it. Not used in a rendezvous channel.
    first: Option<T>,
    /// The values after that.
    values: VecDeque<T>,
    /// Most values that wait without their sender.
    limit: usize,
    /// In a rendezvous channel, what each value's sender waits with.
    offers: VecDeque<Offer>,
    /// Offers made so far.
    offered: u64,
    closed: bool,
    /// Whether a value can be put in, when there is none, with nothing else to be looked at: neither in a
    /// rendezvous channel nor in one that is closed.
    open: bool,
    /// Those who wait for room, or in a rendezvous channel for somebody who receives.
    pub(crate) senders: Waiters,
    /// Those who wait for a value.
    pub(crate) receivers: Waiters,
}

/// A value in a rendezvous channel belongs to its sender until it is received.
struct Offer {
    number: OfferNumber,
    /// Whom to tell that it was received; nobody for one that was sent to somebody who waited.
    sender: Option<Chosen>,
}

/// Which offer of its channel.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct OfferNumber(u64);

/// What was taken, and who is to be woken for it.
pub(crate) type Taken<T> = (T, Option<Chosen>);

impl<T> State<T> {
    /// No values, with memory for `room`, and of which `limit` may wait.
    pub(crate) fn new(limit: usize, room: usize) -> Self {
        let meets = limit == 0;
        Self {
            first: None,
            values: VecDeque::with_capacity(room),
            limit,
            open: !meets,
            offers: VecDeque::with_capacity(if meets { room } else { 0 }),
            offered: 0,
            closed: false,
            senders: Waiters::new(),
            receivers: Waiters::new(),
        }
    }

    /// Whether values go from hand to hand.
    pub(crate) const fn meets(&self) -> bool {
        self.limit == 0
    }

    pub(crate) const fn is_closed(&self) -> bool {
        self.closed
    }

    pub(crate) const fn close(&mut self) {
        self.closed = true;
        self.open = false;
    }

    /// How many values can be in the queue without more memory.
    pub(crate) fn room(&self) -> usize {
        if self.meets() {
            // There is always memory for values without size, but not for what their senders wait with.
            self.values.capacity().min(self.offers.capacity())
        } else {
            self.values.capacity()
        }
    }

    /// Whether a value could only be put into the queue with more memory.
    pub(crate) fn is_out_of_room(&self) -> bool {
        self.values.len() >= self.room()
    }

    /// How many values are in it.
    pub(crate) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.values.len()
    }

    /// Whether there is a value to be received, or never will be.
    pub(crate) fn can_receive(&self) -> bool {
        self.len() > 0 || self.closed
    }

    /// Whether a value could be sent now, or never.
    pub(crate) fn can_send(&self) -> bool {
        self.closed || self.len() < self.limit || self.meets() && !self.receivers.is_empty()
    }

    /// Moves what is in it to `larger`, whose memory it has from now on; gives back the old.
    pub(crate) fn enlarge(&mut self, mut larger: Self) -> Self {
        if larger.room() > self.room() {
            larger.values.append(&mut self.values);
            larger.offers.append(&mut self.offers);
            core::mem::swap(&mut self.values, &mut larger.values);
            core::mem::swap(&mut self.offers, &mut larger.offers);
        }
        larger
    }

    /// Puts a value in if there is room or somebody who waits for one; who that is.
    #[inline]
    pub(crate) fn put(&mut self, value: T) -> Result<Option<Chosen>, TrySendError<T>> {
        if self.closed {
            return Err(TrySendError::Closed(value));
        }
        let value = match self.put_quickly(value) {
            Ok(()) => return Ok(self.receivers.pop()),
            Err(value) => value,
        };
        if self.len() < self.limit {
            if self.is_out_of_room() {
                return Err(TrySendError::Full(value));
            }
            self.values.push_back(value);
            return Ok(self.receivers.pop());
        }
        if !self.meets() || self.is_out_of_room() {
            return Err(TrySendError::Full(value));
        }
        match self.receivers.pop() {
            Some(receiver) => {
                self.offer(value, None);
                Ok(Some(receiver))
            }
            None => Err(TrySendError::Full(value)),
        }
    }

    /// Whether there is no value, and one can be put in with nothing else to be looked at.
    #[inline(always)]
    pub(crate) fn is_open_and_empty(&self) -> bool {
        self.open && self.first.is_none() && self.values.is_empty()
    }

    /// Puts a value in if there is none and nothing else is to be looked at; gives it back if there is.
    #[inline(always)]
    pub(crate) fn put_quickly(&mut self, value: T) -> Result<(), T> {
        if self.is_open_and_empty() {
            self.first = Some(value);
            Ok(())
        } else {
            Err(value)
        }
    }

    /// Takes out the first value, if it is not in the queue and nobody waits for that.
    #[inline(always)]
    pub(crate) fn take_quickly(&mut self) -> Option<T> {
        if self.senders.is_empty() {
            self.first.take()
        } else {
            None
        }
    }

    /// Puts a value in that stays its sender's until it is received. There must be room.
    pub(crate) fn offer(&mut self, value: T, sender: Option<Chosen>) -> OfferNumber {
        let number = OfferNumber(self.offered);
        self.offered += 1;
        self.values.push_back(value);
        self.offers.push_back(Offer { number, sender });
        number
    }

    /// Whether an offer is still there; if so, `sender` is told.
    pub(crate) fn renew(&mut self, number: OfferNumber, sender: impl FnOnce() -> Chosen) -> bool {
        let offer = self.offers.iter_mut().find(|offer| offer.number == number);
        let found = offer.is_some();
        if let Some(offer) = offer {
            offer.sender.get_or_insert_with(sender);
        }
        found
    }

    /// Takes an offer back; `None` when it has been received.
    pub(crate) fn withdraw(&mut self, number: OfferNumber) -> Option<T> {
        let at = self.offers.iter().position(|it| it.number == number)?;
        self.offers.remove(at);
        self.values.remove(at)
    }

    /// Takes out the first value, and says who waited for that.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<Taken<T>> {
        let first = self.first.take();
        let value = first.or_else(|| self.values.pop_front())?;
        let sender = if self.meets() {
            self.offers.pop_front().and_then(|offer| offer.sender)
        } else {
            self.senders.pop()
        };
        Some((value, sender))
    }

    /// Takes out all values that belong to no sender.
    pub(crate) fn clear(&mut self) -> (Option<T>, VecDeque<T>) {
        if self.meets() {
            (None, VecDeque::new())
        } else {
            (self.first.take(), core::mem::take(&mut self.values))
        }
    }

    /// A task is about to wait for a value; who waits for that.
    #[inline]
    pub(crate) fn expect_value(&mut self, receiver: &Arc<Task>) -> Option<Chosen> {
        self.receivers.push_task(receiver);
        self.receiver_came()
    }

    #[inline]
    fn receiver_came(&mut self) -> Option<Chosen> {
        if self.meets() {
            self.senders.pop()
        } else {
            None
        }
    }

    /// Takes the sender of an offer that is still there; for who closes the channel.
    pub(crate) fn next_offering(&mut self) -> Option<Chosen> {
        self.offers.iter_mut().find_map(|offer| offer.sender.take())
    }
}

/// One of a channel's sides.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Send,
    Receive,
}

impl<T> State<T> {
    fn queue(&mut self, side: Side) -> &mut Waiters {
        match side {
            Side::Send => &mut self.senders,
            Side::Receive => &mut self.receivers,
        }
    }

    /// Takes a task out of the queue of its side. If it has been chosen and something is there that
    /// it was chosen for, somebody else is.
    pub(crate) fn leave(&mut self, side: Side, task: &Task) -> Option<Chosen> {
        if self.queue(side).remove_task(task) {
            None
        } else {
            self.choose_again(side)
        }
    }

    /// The same for somebody else.
    pub(crate) fn leave_other(&mut self, side: Side, waiter: &Waiter) -> Option<Chosen> {
        if self.queue(side).remove(waiter) {
            None
        } else {
            self.choose_again(side)
        }
    }

    fn choose_again(&mut self, side: Side) -> Option<Chosen> {
        match side {
            Side::Send if self.can_send() => self.senders.pop(),
            Side::Receive if self.can_receive() => self.receivers.pop(),
            _ => None,
        }
    }

    /// Adds somebody who is no blocked task; who waits for that.
    pub(crate) fn enlist(&mut self, side: Side, waiter: &Arc<Waiter>) -> Option<Chosen> {
        match side {
            Side::Send => {
                self.senders.push(Arc::clone(waiter));
                None
            }
            Side::Receive => {
                self.receivers.push(Arc::clone(waiter));
                self.receiver_came()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_of_values_without_size_want_room() {
        let mut state = State::new(0, 4);
        while !state.is_out_of_room() {
            state.offer((), None);
        }
        assert!(state.len() >= 4 && state.len() == state.room());
        let room = 2 * state.room();
        drop(state.enlarge(State::new(0, room)));
        assert!(!state.is_out_of_room());
        assert!(state.len() >= 4);
    }

    #[test]
    fn values_keep_their_order_beside_and_in_the_queue() {
        let mut state = State::new(3, 3);
        let put = |state: &mut State<u32>, value| state.put(value).is_ok();
        assert!(put(&mut state, 1) && put(&mut state, 2) && put(&mut state, 3));
        assert!(!put(&mut state, 4) && state.len() == 3);
        let take = |state: &mut State<u32>| state.take().map(|(value, _)| value);
        assert_eq!(take(&mut state), Some(1));
        assert!(put(&mut state, 4));
        assert_eq!(take(&mut state), Some(2));
        assert_eq!(take(&mut state), Some(3));
        assert_eq!(state.len(), 1);
        assert_eq!(take(&mut state), Some(4));
        assert!(put(&mut state, 5));
        assert_eq!(state.take_quickly(), Some(5));
        assert!(state.take().is_none());
    }

    #[test]
    fn a_closed_channel_takes_nothing() {
        let mut state = State::new(1, 1);
        assert!(state.put_quickly(1).is_ok());
        state.close();
        assert_eq!(state.take_quickly(), Some(1));
        assert!(state.put_quickly(2).is_err() && state.put(2).is_err());
    }
}
