//! The end of the machine when the nucleus cannot go on.

use crate::port;

/// What QEMU's `isa-debug-exit` device is told. QEMU ends with twice the value plus one; without
/// the device the write goes nowhere and the CPU stays halted below the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Status {
    /// The archive, an object in it, or something unforeseen.
    Failure = 101,
    /// There is no serial port.
    NoSerial = 102,
    /// There is too little memory.
    Memory = 103,
    /// The CPU lacks a feature.
    Cpu = 104,
    /// A CPU exception.
    Exception = 105,
}

/// The port of `isa-debug-exit`.
const EXIT_PORT: u16 = 0xF4;

/// Tells the status to QEMU, then halts.
pub(crate) fn exit(status: Status) -> ! {
    // SAFETY: nothing but QEMU's exit device answers at this port.
    unsafe { port::write(EXIT_PORT, status as u8) };
    loop {
        port::halt();
    }
}
