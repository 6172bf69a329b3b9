//! The device's two ports: one selects an item, the other gives its bytes one after the other.

use x86_64::instructions::port::{PortReadOnly, PortWriteOnly};

const SELECT: u16 = 0x510;
const DATA: u16 = 0x511;

/// Which item is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Selector(pub(crate) u16);

impl Selector {
    /// Says that the device is there.
    pub(crate) const SIGNATURE: Self = Self(0x0000);
    /// Lists the files.
    pub(crate) const DIRECTORY: Self = Self(0x0019);
}

/// The device.
#[derive(Debug)]
pub(crate) struct Device {
    select: PortWriteOnly<u16>,
    data: PortReadOnly<u8>,
}

impl Device {
    pub(crate) const fn new() -> Self {
        Self {
            select: PortWriteOnly::new(SELECT),
            data: PortReadOnly::new(DATA),
        }
    }

    /// Reads an item from its beginning.
    pub(crate) fn read(&mut self, selector: Selector, bytes: &mut [u8]) {
        // SAFETY: the port is the device's, or nobody's; selecting an item changes nothing else.
        unsafe { self.select.write(selector.0) };
        self.read_on(bytes);
    }

    /// Goes on reading where the last read ended. Past an item's end all bytes are 0.
    pub(crate) fn read_on(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            // SAFETY: as above; reading only moves the position.
            *byte = unsafe { self.data.read() };
        }
    }
}
