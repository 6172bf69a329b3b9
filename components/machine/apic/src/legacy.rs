//! The two legacy interrupt controllers (Intel 8259A), which are only silenced.

use x86_64::instructions::port::Port;

/// Command and data ports of the first and the second controller.
const PORTS: [(u16, u16); 2] = [(0x20, 0x21), (0xA0, 0xA1)];
/// Initialisation command word 1: start, in cascade, word 4 follows.
const INITIALISE: u8 = 0x11;
/// Initialisation command word 2: first vector of each. What they still send spuriously arrives
/// above the exceptions, where nobody listens.
const VECTORS: [u8; 2] = [0x20, 0x28];
/// Initialisation command word 3: where the second one is attached.
const CASCADE: [u8; 2] = [1 << 2, 2];
/// Initialisation command word 4: 8086 mode.
const MODE_8086: u8 = 1;
/// Interrupt mask: all.
const ALL: u8 = 0xFF;

pub(crate) fn mask() {
    for (((command, data), vector), cascade) in PORTS.into_iter().zip(VECTORS).zip(CASCADE) {
        write(command, INITIALISE);
        write(data, vector);
        write(data, cascade);
        write(data, MODE_8086);
        write(data, ALL);
    }
}

fn write(port: u16, value: u8) {
    // SAFETY: the ports are the controllers' (or nobody's), and the sequence only silences them.
    unsafe { Port::new(port).write(value) };
}
