//! From the serial port to a reader.

use crate::{cooked, foreground, output, ring::Ring};
use core::sync::atomic::{AtomicBool, Ordering};
use cpu::IrqMutex;
use wait_queue::WaitQueue;

/// Ctrl-C, as it arrives.
pub(crate) const INTERRUPT: u8 = 0x03;

#[used]
static RECEIVED: IrqMutex<Ring> = IrqMutex::new(Ring::new());

#[used]
static READERS: WaitQueue = WaitQueue::new();

#[used]
static RAW: AtomicBool = AtomicBool::new(false);

/// The console is in raw mode while this value lives: bytes are read as they arrive, without echo,
/// and Ctrl-C is a byte like others.
#[must_use]
#[derive(Debug)]
pub struct RawMode {
    before: bool,
}

/// Puts the console in raw mode.
pub fn raw_mode() -> RawMode {
    RawMode {
        before: RAW.swap(true, Ordering::Relaxed),
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        RAW.store(self.before, Ordering::Relaxed);
    }
}

/// Gives bytes back that were read but belong to the next reader.
pub fn push_back(bytes: &[u8]) {
    RECEIVED.lock().push_back(bytes);
    READERS.wake_all();
}

/// Whether Ctrl-C was typed and nobody has read it; forgets it and what was typed before it.
pub(crate) fn take_interrupt() -> bool {
    RECEIVED.lock().drop_through(INTERRUPT)
}

/// Takes what the serial port has received. Called in its interrupt handler.
pub(crate) fn receive(bytes: &[u8]) {
    for &byte in bytes {
        let cooked = !RAW.load(Ordering::Relaxed);
        if byte == INTERRUPT && cooked && foreground::kill() {
            // What was typed ahead was meant for the job.
            RECEIVED.lock().clear();
            output::write(b"^C\n");
        } else {
            RECEIVED.lock().push(byte);
        }
    }
    READERS.wake_all();
}

/// Reads at least one byte, by the mode of the moment; 0 at the end of input, which a terminal has
/// only in cooked mode. A safe point.
pub(crate) fn read(buffer: &mut [u8]) -> usize {
    if buffer.is_empty() {
        return 0;
    }
    if RAW.load(Ordering::Relaxed) {
        take(buffer)
    } else {
        cooked::read(buffer)
    }
}

/// Waits for bytes and takes them as they are.
pub(crate) fn take(buffer: &mut [u8]) -> usize {
    let (count, lost) = READERS.wait_for(|| {
        let mut received = RECEIVED.lock();
        (!received.is_empty()).then(|| (received.take(buffer), received.take_lost()))
    });
    if lost > 0 {
        log::warn!("{lost} bytes typed ahead were lost: nobody read them in time");
    }
    count
}
