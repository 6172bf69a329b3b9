//! From the second serial port to the task.

use cpu::IrqMutex;
use heapless::Deque;
use wait_queue::WaitQueue;

/// Bytes that may wait for the task. A client waits for the answer to each frame, so that more than
/// its opening (one frame's length of zeros, and a greeting) and a frame never wait.
const CAPACITY: usize = 3 * push_protocol::frame::MAX_FRAME;

#[used]
static RECEIVED: IrqMutex<Ring> = IrqMutex::new(Ring {
    bytes: Deque::new(),
    lost: 0,
});

#[used]
static READER: WaitQueue = WaitQueue::new();

struct Ring {
    bytes: Deque<u8, CAPACITY>,
    /// Bytes that found no room.
    lost: u64,
}

/// Takes what the port has received. Called in its interrupt handler.
pub(crate) fn receive(bytes: &[u8]) {
    let mut ring = RECEIVED.lock();
    for &byte in bytes {
        if ring.bytes.push_back(byte).is_err() {
            ring.lost += 1;
        }
    }
    drop(ring);
    READER.wake_one();
}

/// Waits for bytes and takes as many as fit.
pub(crate) fn read(buffer: &mut [u8]) -> usize {
    let (length, lost) = READER.wait_for(|| {
        let mut ring = RECEIVED.lock();
        if ring.bytes.is_empty() {
            return None;
        }
        let mut length = 0;
        for place in buffer.iter_mut() {
            let Some(byte) = ring.bytes.pop_front() else {
                break;
            };
            *place = byte;
            length += 1;
        }
        Some((length, core::mem::take(&mut ring.lost)))
    });
    if lost > 0 {
        log::warn!("{lost} bytes came faster than they were read and were lost");
    }
    length
}
