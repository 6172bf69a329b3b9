//! The VGA text screen, for the one message that there is no serial port.

/// The text buffer: 80 × 25 cells of a character and an attribute.
const BUFFER: usize = 0xB_8000;
/// Cells of the screen.
const CELLS: usize = 80 * 25;
/// Bright white on black.
const ATTRIBUTE: u16 = 0x0F00;

/// Clears the screen and writes ASCII `text` at its top.
pub(crate) fn write(text: &str) {
    let padded = text.bytes().chain(core::iter::repeat(b' ')).take(CELLS);
    let buffer = core::ptr::without_provenance_mut::<u16>(BUFFER);
    for (index, byte) in padded.enumerate() {
        let cell = buffer.wrapping_add(index);
        // SAFETY: identity mapped, inside the text buffer; no Rust value lives below 1 MiB.
        unsafe { cell.write_volatile(ATTRIBUTE | u16::from(byte)) };
    }
}

