//! Receives components over the second serial port.
#![no_std]
