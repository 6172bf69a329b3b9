//! The few instructions that have no Rust expression.

use core::arch::asm;

/// Writes a byte to an I/O port.
///
/// # Safety
///
/// The device at `port` must not change memory or the CPU's state because of it.
pub(crate) unsafe fn write(port: u16, value: u8) {
    // SAFETY: the instruction touches no memory; what the device does is the caller's duty.
    unsafe { asm!("out dx, al", in("dx") port, in("al") value, options(nomem, nostack)) };
}

/// Reads a byte from an I/O port.
///
/// # Safety
///
/// The device at `port` must not change memory or the CPU's state because of it.
pub(crate) unsafe fn read(port: u16) -> u8 {
    let value;
    // SAFETY: the instruction touches no memory; what the device does is the caller's duty.
    unsafe { asm!("in al, dx", out("al") value, in("dx") port, options(nomem, nostack)) };
    value
}

/// Stops the CPU until the next interrupt; with interrupts off, for good.
pub(crate) fn halt() {
    // SAFETY: the instruction changes no state that a program can see.
    unsafe { asm!("hlt", options(nomem, nostack)) };
}

/// The time-stamp counter.
pub(crate) fn timestamp() -> u64 {
    // SAFETY: every x86-64 CPU has the instruction, and the kernel may execute it.
    unsafe { core::arch::x86_64::_rdtsc() }
}
