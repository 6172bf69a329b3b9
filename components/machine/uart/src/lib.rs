//! 16550 serial ports with receive interrupts.
#![no_std]
