//! The ports that end it all.

use x86_64::instructions::port::Port;

/// QEMU's `isa-debug-exit`: writing `s` ends QEMU with status `(s << 1) | 1`.
const DEBUG_EXIT: u16 = 0xF4;
/// The keyboard controller's command port, and the command that pulls the CPU's reset line.
const KEYBOARD_COMMAND: u16 = 0x64;
const PULSE_RESET: u8 = 0xFE;
/// A port that nothing uses; a read takes about a microsecond.
const DELAY: u16 = 0x80;

pub(crate) fn read_u16(port: u16) -> u16 {
    // SAFETY: the firmware's tables name the port as that of a control register.
    unsafe { Port::new(port).read() }
}

pub(crate) fn write_u16(port: u16, value: u16) {
    // SAFETY: as above; the value is one that the specification gives the register.
    unsafe { Port::new(port).write(value) };
}

pub(crate) fn write_u8(port: u16, value: u8) {
    // SAFETY: the firmware's tables name both the port and the value.
    unsafe { Port::new(port).write(value) };
}

pub(crate) fn exit(status: u8) {
    // SAFETY: the port belongs to QEMU's exit device, or to nothing on another machine.
    unsafe { Port::new(DEBUG_EXIT).write(status) };
}

pub(crate) fn reset_by_keyboard_controller() {
    // SAFETY: the caller wants the machine reset, which is all that the command does.
    unsafe { Port::new(KEYBOARD_COMMAND).write(PULSE_RESET) };
}

/// Waits for a millisecond or so.
pub(crate) fn delay() {
    for _ in 0..1000 {
        // SAFETY: reading the port has no effect.
        let _: u8 = unsafe { Port::new(DELAY).read() };
    }
}
