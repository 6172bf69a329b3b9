//! QEMU's firmware configuration device.
#![no_std]
