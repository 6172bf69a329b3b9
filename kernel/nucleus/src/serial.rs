//! COM1 without interrupts: the nucleus's only way to speak.
//!
//! The registers are those of the 16550 data sheet (PC16550D, table 2). The port holds no state
//! here, so that the panic handler and the exception handlers can write at any time.

use crate::port;
use core::fmt;

/// I/O address of COM1.
const COM1: u16 = 0x3F8;
/// Line speed divisor for 115,200 baud.
const DIVISOR: u8 = 1;
/// How often a full transmitter is asked again before the byte is given up: a port that stops
/// answering must not stop the boot.
const PATIENCE: u32 = 1_000_000;

/// Registers by their offset.
#[derive(Clone, Copy)]
#[repr(u16)]
enum Register {
    /// RBR and THR; DLL while the divisor latch is open.
    Data = 0,
    /// IER; DLM while the divisor latch is open.
    InterruptEnable = 1,
    /// FCR.
    FifoControl = 2,
    /// LCR.
    LineControl = 3,
    /// MCR.
    ModemControl = 4,
    /// LSR.
    LineStatus = 5,
}

/// LCR: divisor latch access.
const DIVISOR_LATCH: u8 = 0x80;
/// LCR: eight bits, no parity, one stop bit.
const EIGHT_NO_ONE: u8 = 0x03;
/// FCR: FIFOs on and cleared, receive interrupt at 14 bytes.
const FIFO_ON: u8 = 0xC7;
/// MCR: loop-back, with OUT1, OUT2 and RTS set.
const LOOP_BACK: u8 = 0x1E;
/// MCR: DTR, RTS, and OUT2, which lets the interrupt line through.
const READY: u8 = 0x0B;
/// LSR: the transmitter takes a byte.
const TRANSMITTER_EMPTY: u8 = 0x20;
/// LSR: a byte was received.
const RECEIVED: u8 = 0x01;
/// What is sent to itself in the probe: no value that an absent port reads as.
const PROBE: u8 = 0xA5;

/// COM1. Possessing one proves that the port has answered.
#[derive(Clone, Copy)]
pub(crate) struct Serial(());

impl Serial {
    /// Sets the port up; `None` when nothing answers, which a byte in loop-back mode shows.
    pub(crate) fn probe() -> Option<Self> {
        write(Register::InterruptEnable, 0);
        write(Register::LineControl, DIVISOR_LATCH);
        write(Register::Data, DIVISOR);
        write(Register::InterruptEnable, 0);
        write(Register::LineControl, EIGHT_NO_ONE);
        write(Register::FifoControl, FIFO_ON);
        write(Register::ModemControl, LOOP_BACK);
        write(Register::Data, PROBE);
        let answered = (0..1000).any(|_| read(Register::LineStatus) & RECEIVED != 0)
            && read(Register::Data) == PROBE;
        write(Register::ModemControl, READY);
        answered.then_some(Self(()))
    }

    /// The port without a probe, for the last words of a fault.
    pub(crate) const fn assume() -> Self {
        Self(())
    }

    /// Sends a byte.
    fn send(self, byte: u8) {
        for _ in 0..PATIENCE {
            if read(Register::LineStatus) & TRANSMITTER_EMPTY != 0 {
                return write(Register::Data, byte);
            }
        }
    }
}

impl fmt::Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if byte == b'\n' {
                self.send(b'\r');
            }
            self.send(byte);
        }
        Ok(())
    }
}

fn write(register: Register, value: u8) {
    // SAFETY: COM1's registers, or nothing at all, lie at these ports.
    unsafe { port::write(COM1 + register as u16, value) };
}

fn read(register: Register) -> u8 {
    // SAFETY: COM1's registers, or nothing at all, lie at these ports.
    unsafe { port::read(COM1 + register as u16) }
}
