//! Sight of the firmware's memory.

use device_memory::{Caching, DeviceMemory};
use handover::PhysicalRange;

/// What the parsers read from; tests have one of their own.
pub(crate) trait PhysicalMemory {
    /// Fills `bytes` from a physical address, or answers false.
    fn read(&self, address: u64, bytes: &mut [u8]) -> bool;
}

/// The real memory, mapped for each read.
pub(crate) struct Firmware;

impl PhysicalMemory for Firmware {
    fn read(&self, address: u64, bytes: &mut [u8]) -> bool {
        let Some(end) = address.checked_add(bytes.len() as u64) else {
            return false;
        };
        let range = PhysicalRange {
            start: address,
            end,
        };
        DeviceMemory::map(range, Caching::WriteBack)
            .is_ok_and(|window| window.copy_to(0, bytes).is_ok())
    }
}
