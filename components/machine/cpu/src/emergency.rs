//! The last words of a system that cannot go on: the first serial port, polled, without a lock.

use core::fmt::{self, Write};

use x86_64::instructions::port::Port;

/// Data register of the first serial port.
const COM1: u16 = 0x3F8;
/// Line status register of the first serial port.
const COM1_LINE_STATUS: u16 = COM1 + 5;
/// Line status: the transmitter takes a byte.
const TRANSMIT_EMPTY: u8 = 1 << 5;
/// QEMU's `isa-debug-exit`: writing `s` ends QEMU with status `(s << 1) | 1`.
const DEBUG_EXIT: u16 = 0xF4;
/// How often to look at the line status before giving up on a port that is not there.
const PATIENCE: u32 = 100_000;

/// Writes to the first serial port without any lock or buffer, for when nothing else works.
pub fn emergency_print(message: fmt::Arguments<'_>) {
    // The writer below never fails.
    let _ = Com1.write_fmt(message);
}

/// Prints `message` as the system's last words, ends QEMU with a failure, and stops all CPUs.
pub fn fatal(message: fmt::Arguments<'_>) -> ! {
    x86_64::instructions::interrupts::disable();
    // Alone, this CPU may not even have its block of data yet.
    if !crate::alone() {
        crate::requests::stop_others();
    }
    emergency_print(format_args!("\nfatal: {message}\n"));
    // SAFETY: the port belongs to QEMU's exit device, or to nothing on another machine.
    unsafe { Port::<u8>::new(DEBUG_EXIT).write(1) };
    crate::halt()
}

struct Com1;

impl Write for Com1 {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if byte == b'\n' {
                put(b'\r');
            }
            put(byte);
        }
        Ok(())
    }
}

fn put(byte: u8) {
    let mut status = Port::<u8>::new(COM1_LINE_STATUS);
    for _ in 0..PATIENCE {
        // SAFETY: reading the line status clears error bits only.
        let ready = unsafe { status.read() } & TRANSMIT_EMPTY != 0;
        if ready {
            break;
        }
    }
    // SAFETY: writing the data register sends a byte, which is what the caller wants.
    unsafe { Port::<u8>::new(COM1).write(byte) };
}
