//! The side that sends.

use crate::{Closed, SendError, SendFuture, TrySendError, shared::Shared};
use alloc::sync::Arc;
use core::{fmt, sync::atomic::Ordering};
use task::Kicked;

/// The side that sends.
pub struct Sender<T> {
    pub(crate) shared: Arc<Shared<T>>,
}

impl<T> Sender<T> {
    pub(crate) const fn new(shared: Arc<Shared<T>>) -> Self {
        Self { shared }
    }

    /// Sends `value`, waiting for room, or in a rendezvous channel until it has been received. A safe
    /// point.
    ///
    /// # Errors
    ///
    /// Gives the value back when the channel is closed.
    #[inline(always)] // The way without a wait is short.
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        if task::has_requests() {
            return self.send_slowly(value);
        }
        match self.shared.send_quickly(value) {
            Ok(()) => Ok(()),
            Err(value) => self.send_slowly(value),
        }
    }

    #[inline(never)]
    fn send_slowly(&self, value: T) -> Result<(), SendError<T>> {
        task::safe_point();
        let mut value = Some(value);
        match (task::restart(|| self.send_kickable(&mut value)), value) {
            (Err(Closed), Some(value)) => Err(SendError(value)),
            _ => Ok(()),
        }
    }

    /// As [`Sender::send`], of what is in `value`, which is left there when it is not sent.
    ///
    /// # Errors
    ///
    /// When the task is on hold and would have to wait; inside, when the channel is closed.
    pub fn send_kickable(&self, value: &mut Option<T>) -> Result<Result<(), Closed>, Kicked> {
        self.shared.send(value)
    }

    /// Sends `value` if there is room, or in a rendezvous channel somebody who waits for it. May be
    /// called in an interrupt handler.
    ///
    /// # Errors
    ///
    /// Gives the value back when the channel is full or closed.
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.shared.try_send(value)
    }

    /// Sends `value` when the future is awaited. Dropped before that is done, it sends nothing.
    pub fn send_async(&self, value: T) -> SendFuture<'_, T> {
        SendFuture::new(&self.shared, value)
    }

    /// Ends the channel; receivers still get what is in it.
    pub fn close(&self) {
        self.shared.close();
    }

    /// Whether the channel is closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.shared.senders.fetch_add(1, Ordering::Relaxed);
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        if self.shared.senders.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.shared.close();
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}
