//! Sending and receiving without a task that blocks.

use crate::{
    Closed, SendError, TryReceiveError, TrySendError,
    shared::Shared,
    state::{OfferNumber, Side},
};
use alloc::sync::Arc;
use core::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};
use task::Waiter;
use wait_queue::Chosen;

/// Receives a value; made by [`crate::Receiver::receive_async`].
#[must_use = "a future does nothing unless it is awaited"]
pub struct ReceiveFuture<'a, T> {
    shared: &'a Shared<T>,
    place: Place,
}

/// A future's place in the queue of its side.
#[derive(Default)]
struct Place(Option<Arc<Waiter>>);

impl Place {
    /// The place, which wakes whoever polls.
    fn of(&mut self, context: &Context<'_>) -> &Arc<Waiter> {
        let waiter = self.0.get_or_insert_with(|| Arc::new(Waiter::new()));
        waiter.set_waker(context.waker());
        waiter
    }

    /// Leaves the queue, and lets somebody else be chosen if this place was.
    fn leave<T>(&mut self, shared: &Shared<T>, side: Side) {
        if let Some(waiter) = self.0.take() {
            shared.delist(side, &waiter);
        }
    }
}

impl<'a, T> ReceiveFuture<'a, T> {
    pub(crate) const fn new(shared: &'a Shared<T>) -> Self {
        Self {
            shared,
            place: Place(None),
        }
    }

    fn look(&mut self) -> Poll<Result<T, Closed>> {
        let result = match self.shared.try_receive() {
            Err(TryReceiveError::Empty) => return Poll::Pending,
            Err(TryReceiveError::Closed) => Err(Closed),
            Ok(value) => Ok(value),
        };
        self.place.leave(self.shared, Side::Receive);
        Poll::Ready(result)
    }
}

impl<T> Future for ReceiveFuture<'_, T> {
    type Output = Result<T, Closed>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(result) = self.look() {
            return Poll::Ready(result);
        }
        let this = &mut *self;
        this.shared.enlist(Side::Receive, this.place.of(context));
        self.look() // A value may have come before the place was taken.
    }
}

impl<T> Drop for ReceiveFuture<'_, T> {
    fn drop(&mut self) {
        self.place.leave(self.shared, Side::Receive);
    }
}

/// Sends a value; made by [`crate::Sender::send_async`].
#[must_use = "a future does nothing unless it is awaited"]
pub struct SendFuture<'a, T> {
    shared: &'a Shared<T>,
    value: Option<T>,
    offer: Option<OfferNumber>,
    place: Place,
}

/// The value is moved about, never pinned.
impl<T> Unpin for SendFuture<'_, T> {}

impl<'a, T> SendFuture<'a, T> {
    pub(crate) const fn new(shared: &'a Shared<T>, value: T) -> Self {
        Self {
            shared,
            value: Some(value),
            offer: None,
            place: Place(None),
        }
    }

    fn look(&mut self) -> Poll<Result<(), SendError<T>>> {
        let Some(value) = self.value.take() else {
            return Poll::Ready(Ok(()));
        };
        let result = match self.shared.try_send(value) {
            Err(TrySendError::Full(value)) => {
                self.value = Some(value);
                return Poll::Pending;
            }
            Err(TrySendError::Closed(value)) => Err(SendError(value)),
            Ok(()) => Ok(()),
        };
        self.place.leave(self.shared, Side::Send);
        Poll::Ready(result)
    }

    /// The value is offered: looks whether it has been received.
    fn look_at_offer(
        &mut self,
        number: OfferNumber,
        context: &Context<'_>,
    ) -> Poll<Result<(), SendError<T>>> {
        let waiter = Arc::clone(self.place.of(context));
        let open = self.shared.renew(number, || Chosen::Other(waiter));
        let result = if !open {
            Ok(())
        } else if self.shared.is_closed() {
            self.shared
                .withdraw(number)
                .map_or(Ok(()), |value| Err(SendError(value)))
        } else {
            return Poll::Pending;
        };
        self.offer = None;
        Poll::Ready(result)
    }
}

impl<T> Future for SendFuture<'_, T> {
    type Output = Result<(), SendError<T>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(number) = self.offer {
            return self.look_at_offer(number, context);
        }
        if let Poll::Ready(result) = self.look() {
            return Poll::Ready(result);
        }
        let this = &mut *self;
        let waiter = this.place.of(context);
        if !this.shared.meets() {
            this.shared.enlist(Side::Send, waiter);
            return self.look(); // There may have been room before the place was taken.
        }
        let sender = || Chosen::Other(Arc::clone(waiter));
        this.offer = this.shared.offer(&mut this.value, sender);
        if this.offer.is_some() {
            Poll::Pending
        } else {
            self.look()
        }
    }
}

impl<T> Drop for SendFuture<'_, T> {
    fn drop(&mut self) {
        if let Some(number) = self.offer.take() {
            drop(self.shared.withdraw(number));
        } else {
            self.place.leave(self.shared, Side::Send);
        }
    }
}

impl<T> fmt::Debug for ReceiveFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiveFuture").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for SendFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendFuture").finish_non_exhaustive()
    }
}
