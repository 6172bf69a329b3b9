//! What the nucleus says: lines on the serial port, and its last words.

use crate::{
    error::BootError,
    exit::{self, Status},
    serial::Serial,
    vga,
};
use core::fmt::{self, Write};

/// Starts speaking. Must come first: everything else may want to complain.
pub(crate) fn start() {
    if Serial::probe().is_none() {
        vga::write("strake: no serial port (COM1) found; it is the console, so the boot ends here");
        exit::exit(Status::NoSerial);
    }
}

/// Writes a line.
pub(crate) fn line(text: fmt::Arguments<'_>) {
    // The serial port's `write_str` never fails.
    let _ = writeln!(Serial::assume(), "{text}");
}

/// Writes over the last progress line.
pub(crate) fn progress(text: fmt::Arguments<'_>) {
    let _ = write!(Serial::assume(), "\r{text}\x1b[K");
}

/// Says what went wrong and ends the machine.
pub(crate) fn fatal(error: &BootError) -> ! {
    let _ = write!(Serial::assume(), "\r\x1b[K");
    line(format_args!("strake: cannot boot: {error}"));
    exit::exit(error.status());
}
