//! Bounded channels between tasks: many may send, many may receive.
//!
//! The memory of a channel is taken when it is made, so sending never allocates. Whoever closes it,
//! or the last of either side being dropped, ends it: senders get their value back, receivers first
//! get what is still in it.
//!
//! Neighbours: `mutex` guards the buffer, `wait_queue` holds who waits. Not for interrupt handlers:
//! those put bytes in a ring of their own and wake a queue. Left out: selecting among channels.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::{collections::VecDeque, sync::Arc};
use core::{
    fmt,
    sync::atomic::{AtomicUsize, Ordering},
};
use mutex::Mutex;
use wait_queue::WaitQueue;

/// Makes a channel that holds up to `capacity` values, at least one.
#[must_use]
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let capacity = capacity.max(1);
    let shared = Arc::new(Shared {
        buffer: Mutex::new(Buffer {
            values: VecDeque::with_capacity(capacity),
            closed: false,
        }),
        capacity,
        not_full: WaitQueue::new(),
        not_empty: WaitQueue::new(),
        senders: AtomicUsize::new(1),
        receivers: AtomicUsize::new(1),
    });
    (
        Sender {
            shared: Arc::clone(&shared),
        },
        Receiver { shared },
    )
}

struct Shared<T> {
    buffer: Mutex<Buffer<T>>,
    capacity: usize,
    not_full: WaitQueue,
    not_empty: WaitQueue,
    senders: AtomicUsize,
    receivers: AtomicUsize,
}

struct Buffer<T> {
    values: VecDeque<T>,
    closed: bool,
}

impl<T> Shared<T> {
    fn close(&self) {
        self.buffer.lock().closed = true;
        self.not_full.wake_all();
        self.not_empty.wake_all();
    }

    fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        let mut buffer = self.buffer.lock();
        if buffer.closed {
            return Err(TrySendError::Closed(value));
        }
        if buffer.values.len() >= self.capacity {
            return Err(TrySendError::Full(value));
        }
        buffer.values.push_back(value);
        drop(buffer);
        self.not_empty.wake_one();
        Ok(())
    }

    fn try_receive(&self) -> Result<T, TryReceiveError> {
        let mut buffer = self.buffer.lock();
        let closed = buffer.closed;
        let Some(value) = buffer.values.pop_front() else {
            return Err(if closed {
                TryReceiveError::Closed
            } else {
                TryReceiveError::Empty
            });
        };
        drop(buffer);
        self.not_full.wake_one();
        Ok(value)
    }
}

/// The side that sends.
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Sender<T> {
    /// Sends `value`, waiting for room. A safe point if it has to wait.
    ///
    /// # Errors
    ///
    /// Gives the value back when the channel is closed.
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        let mut value = Some(value);
        self.shared
            .not_full
            .wait_for(|| match self.shared.try_send(value.take()?) {
                Ok(()) => Some(Ok(())),
                Err(TrySendError::Closed(back)) => Some(Err(SendError(back))),
                Err(TrySendError::Full(back)) => {
                    value = Some(back);
                    None
                }
            })
    }

    /// Sends `value` if there is room.
    ///
    /// # Errors
    ///
    /// Gives the value back when the channel is full or closed.
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.shared.try_send(value)
    }

    /// Ends the channel; receivers still get what is in it.
    pub fn close(&self) {
        self.shared.close();
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

/// The side that receives.
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Receiver<T> {
    /// Receives the next value, waiting for it. A safe point if it has to wait.
    ///
    /// # Errors
    ///
    /// When the channel is closed and empty.
    pub fn receive(&self) -> Result<T, Closed> {
        self.shared
            .not_empty
            .wait_for(|| match self.shared.try_receive() {
                Ok(value) => Some(Ok(value)),
                Err(TryReceiveError::Closed) => Some(Err(Closed)),
                Err(TryReceiveError::Empty) => None,
            })
    }

    /// Receives the next value if there is one.
    ///
    /// # Errors
    ///
    /// When the channel is empty, and whether it is closed.
    pub fn try_receive(&self) -> Result<T, TryReceiveError> {
        self.shared.try_receive()
    }

    /// Ends the channel; what is in it can still be received.
    pub fn close(&self) {
        self.shared.close();
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
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}

/// The channel is closed; the value comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SendError<T>(pub T);

/// Why a value could not be sent at once; it comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TrySendError<T> {
    /// There is no room.
    Full(T),
    /// The channel is closed.
    Closed(T),
}

/// The channel is closed and empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

/// Why no value could be received at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryReceiveError {
    /// There is none.
    Empty,
    /// There is none and there will be none.
    Closed,
}

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SendError")
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sending on a closed channel")
    }
}

impl<T> core::error::Error for SendError<T> {}

impl<T> fmt::Debug for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full",
            Self::Closed(_) => "Closed",
        })
    }
}

impl<T> fmt::Display for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "sending on a full channel",
            Self::Closed(_) => "sending on a closed channel",
        })
    }
}

impl<T> core::error::Error for TrySendError<T> {}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("receiving from a closed and empty channel")
    }
}

impl core::error::Error for Closed {}

impl fmt::Display for TryReceiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "receiving from an empty channel",
            Self::Closed => "receiving from a closed and empty channel",
        })
    }
}

impl core::error::Error for TryReceiveError {}
