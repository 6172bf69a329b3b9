//! 16550 serial ports with receive interrupts.
#![no_std]

/// A serial port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// The console.
    Com1,
    /// The push channel.
    Com2,
}

/// Writes all of `bytes`, waiting for the port. May be called from an interrupt handler.
pub fn write(_port: Port, _bytes: &[u8]) {}

/// Names what gets the bytes that a port receives, in the interrupt handler, one by one or several
/// at once.
pub fn register_receiver(_port: Port, _receive: fn(&[u8])) {}
