//! QEMU's firmware configuration device.
#![no_std]

extern crate alloc;

use alloc::vec::Vec;

/// The contents of the file `name`, if the device is there and has it.
#[must_use]
pub fn read(_name: &str) -> Option<Vec<u8>> {
    None
}
