//! From a writer to the serial port.

use cpu::IrqMutex;
use uart::Port;

/// What stands before a line of error output.
const ERROR_MARK: &[u8] = if cfg!(feature = "alternate") {
    b"! "
} else {
    b""
};

/// Bytes that are sent under one lock: a line, mostly.
const CHUNK: usize = 256;

/// Room that one byte may need: a mark, a carriage return and itself.
const WORST: usize = 4;

/// What is known of the terminal's cursor.
struct Cursor {
    at_line_start: bool,
}

#[used]
static CURSOR: IrqMutex<Cursor> = IrqMutex::new(Cursor {
    at_line_start: true,
});

pub(crate) fn write(bytes: &[u8]) {
    for chunk in bytes.chunks(CHUNK) {
        CURSOR.lock().send(chunk, b"");
    }
}

pub(crate) fn write_error(bytes: &[u8]) {
    for chunk in bytes.chunks(CHUNK) {
        CURSOR.lock().send(chunk, ERROR_MARK);
    }
}

/// Goes to the start of a line, if the last output ended inside one.
pub fn fresh_line() {
    let mut cursor = CURSOR.lock();
    if !cursor.at_line_start {
        cursor.send(b"\n", b"");
    }
}

/// Shows a line of the log, on a line of its own. May be called from an interrupt handler.
pub(crate) fn log_line(line: &str) {
    match CURSOR.lock_unless_ours() {
        Some(mut cursor) => {
            if !cursor.at_line_start {
                cursor.send(b"\n", b"");
            }
            for chunk in line.as_bytes().chunks(CHUNK) {
                cursor.send(chunk, b"");
            }
            cursor.send(b"\n", b"");
        }
        // This CPU's writer was interrupted or failed: better a mixed line than none.
        None => {
            uart::write(Port::Com1, line.as_bytes());
            uart::write(Port::Com1, b"\r\n");
        }
    }
}

impl Cursor {
    fn send(&mut self, bytes: &[u8], mark: &[u8]) {
        let mut out = [0; CHUNK * WORST];
        let mut length = 0;
        let mut put = |byte: u8| {
            if let Some(place) = out.get_mut(length) {
                *place = byte;
                length += 1;
            }
        };
        for &byte in bytes {
            if self.at_line_start {
                mark.iter().for_each(|&byte| put(byte));
            }
            if byte == b'\n' {
                put(b'\r');
            }
            put(byte);
            self.at_line_start = byte == b'\n';
        }
        uart::write(Port::Com1, out.get(..length).unwrap_or(&[]));
    }
}
