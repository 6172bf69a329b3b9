//! The side that receives.

use crate::{
    Closed, ReceiveFuture, TryReceiveError,
    shared::{Locked, Shared},
};
use alloc::sync::Arc;
use core::{fmt, sync::atomic::Ordering, time::Duration};
use task::Kicked;

/// The side that receives.
pub struct Receiver<T> {
    pub(crate) shared: Arc<Shared<T>>,
}

impl<T> Receiver<T> {
    pub(crate) const fn new(shared: Arc<Shared<T>>) -> Self {
        Self { shared }
    }

    /// Receives the next value, waiting for it. A safe point.
    ///
    /// # Errors
    ///
    /// When the channel is closed and empty.
    #[inline]
    pub fn receive(&self) -> Result<T, Closed> {
        if task::has_requests() {
            return self.receive_slowly(None);
        }
        match self.shared.receive_quickly() {
            Ok(value) => Ok(value),
            Err(state) => self.receive_slowly(state),
        }
    }

    #[inline(never)]
    fn receive_slowly(&self, state: Option<Locked<'_, T>>) -> Result<T, Closed> {
        let Some(state) = state else {
            return self.receive_again(None);
        };
        if !self.shared.has_only_to_wait(&state) {
            return self.receive_again(Some(state));
        }
        match self.shared.receive_next(state) {
            Ok(value) => Ok(value),
            Err(state) => self.receive_again(Some(state)),
        }
    }

    #[inline(never)]
    fn receive_again(&self, state: Option<Locked<'_, T>>) -> Result<T, Closed> {
        let mut state = state;
        task::restart(|| {
            let state = state.take();
            if state.is_none() {
                task::safe_point();
            }
            Ok(self.shared.receive(state, None)?.map_err(|_| Closed))
        })
    }

    /// As [`Receiver::receive`].
    ///
    /// # Errors
    ///
    /// When the task is on hold and would have to wait; inside, when the channel is closed and empty.
    #[inline]
    pub fn receive_kickable(&self) -> Result<Result<T, Closed>, Kicked> {
        task::safe_point();
        Ok(self.shared.receive(None, None)?.map_err(|_| Closed))
    }

    /// Receives the next value, waiting for `timeout` at most. A safe point.
    ///
    /// # Errors
    ///
    /// When the channel was empty all the time, and whether it is closed.
    pub fn receive_timeout(&self, timeout: Duration) -> Result<T, TryReceiveError> {
        let deadline_ns = wait_queue::deadline_ns(timeout);
        task::safe_point();
        task::restart(|| self.shared.receive(None, Some(deadline_ns)))
    }

    /// Receives the next value if there is one. May be called in an interrupt handler.
    ///
    /// # Errors
    ///
    /// When the channel is empty, and whether it is closed.
    pub fn try_receive(&self) -> Result<T, TryReceiveError> {
        self.shared.try_receive()
    }

    /// Receives the next value when the future is awaited. Dropped before that, it takes none.
    pub fn receive_async(&self) -> ReceiveFuture<'_, T> {
        ReceiveFuture::new(&self.shared)
    }

    /// Ends the channel; what is in it can still be received.
    pub fn close(&self) {
        self.shared.close();
    }

    /// How many values can be received now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.len()
    }

    /// Whether no value can be received now.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.shared.receivers.fetch_add(1, Ordering::Relaxed);
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        if self.shared.receivers.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.shared.close();
            self.shared.clear();
        }
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}
