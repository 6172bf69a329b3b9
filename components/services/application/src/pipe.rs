//! Pipes: what one task writes, another reads.

use alloc::{boxed::Box, sync::Arc};
use core::fmt;
use cpu::IrqMutex;
use task::StreamError;
use wait_queue::WaitQueue;

/// Bytes that a pipe holds; who writes more waits for the reader.
const CAPACITY: usize = 4096;

/// A pipe's two ends.
#[must_use]
pub fn pipe() -> (PipeWriter, PipeReader) {
    let pipe = Arc::new(Pipe {
        // Allocated here, because the lock keeps interrupts off.
        ring: IrqMutex::new(Ring {
            bytes: Box::new([0; CAPACITY]),
            start: 0,
            used: 0,
            open: true,
        }),
        readable: WaitQueue::new(),
        writable: WaitQueue::new(),
    });
    (PipeWriter(Arc::clone(&pipe)), PipeReader(pipe))
}

/// The end that is written to. Dropping it is the end of the reader's input.
#[derive(Debug)]
pub struct PipeWriter(Arc<Pipe>);

/// The end that is read from. When it is dropped, writing fails.
#[derive(Debug)]
pub struct PipeReader(Arc<Pipe>);

struct Pipe {
    ring: IrqMutex<Ring>,
    readable: WaitQueue,
    writable: WaitQueue,
}

struct Ring {
    bytes: Box<[u8; CAPACITY]>,
    start: usize,
    used: usize,
    /// Whether both ends are still there.
    open: bool,
}

impl Ring {
    fn put(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(CAPACITY - self.used);
        for &byte in bytes.iter().take(count) {
            if let Some(place) = self.bytes.get_mut((self.start + self.used) % CAPACITY) {
                *place = byte;
            }
            self.used += 1;
        }
        count
    }

    fn take(&mut self, buffer: &mut [u8]) -> usize {
        let count = buffer.len().min(self.used);
        for place in buffer.iter_mut().take(count) {
            *place = self.bytes.get(self.start).copied().unwrap_or(0);
            self.start = (self.start + 1) % CAPACITY;
            self.used -= 1;
        }
        count
    }
}

impl Pipe {
    fn close(&self) {
        self.ring.lock().open = false;
        self.readable.wake_all();
        self.writable.wake_all();
    }
}

impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipe").finish_non_exhaustive()
    }
}

impl PipeReader {
    /// Reads at least one byte, waiting for it; 0 when the writer is gone.
    pub fn read(&self, buffer: &mut [u8]) -> usize {
        if buffer.is_empty() {
            return 0;
        }
        let count = self.0.readable.wait_for(|| {
            let mut ring = self.0.ring.lock();
            let count = ring.take(buffer);
            (count > 0 || !ring.open).then_some(count)
        });
        self.0.writable.wake_all();
        count
    }
}

impl PipeWriter {
    /// Writes at least one byte, waiting for room.
    ///
    /// # Errors
    ///
    /// When the reader is gone.
    pub fn write(&self, bytes: &[u8]) -> Result<usize, StreamError> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let result = self.0.writable.wait_for(|| {
            let mut ring = self.0.ring.lock();
            if !ring.open {
                return Some(Err(StreamError::Closed));
            }
            let count = ring.put(bytes);
            (count > 0).then_some(Ok(count))
        });
        self.0.readable.wake_all();
        result
    }
}

impl Drop for PipeReader {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Drop for PipeWriter {
    fn drop(&mut self) {
        self.0.close();
    }
}
