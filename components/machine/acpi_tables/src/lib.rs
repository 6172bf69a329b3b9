//! What the firmware's ACPI tables say.
//!
//! Read once at boot: the interrupt controllers and processors (MADT), the fixed registers (FADT)
//! and how to switch the machine off (`\_S5` in the DSDT). A table that is missing or damaged is
//! named in the log, and what it would have said gets the value that every PC has had for decades.
//!
//! Principles: bytes become a checked table before anything is read from it; nothing trusts a
//! length, a checksum decides. The parsers are pure and tested on the host. No AML is interpreted:
//! the one object needed from it is found by its encoding.
//!
//! Neighbours: `device_memory` gives sight of the tables; `apic`, `clock` and `power` use what they
//! say. Left out: devices described in AML.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod aml;
mod error;
mod fadt;
mod madt;
mod physical;
mod table;

use alloc::vec::Vec;

use component::{Handover, StartError};
use spin::Once;

pub use error::TableError;
pub use fadt::{FixedRegisters, ResetRegister};
pub use madt::{InterruptModel, IoApic, Override, Polarity, Processor, Trigger};

use physical::{Firmware, PhysicalMemory};
use table::{Root, Table};

component::component! { start: start }

#[used]
static PLATFORM: Once<Platform> = Once::new();

/// What is known of the machine.
#[derive(Clone, Debug, Default)]
pub struct Platform {
    /// Interrupt controllers and processors.
    pub interrupts: InterruptModel,
    /// The fixed registers, if there is a table for them.
    pub registers: Option<FixedRegisters>,
    /// The sleep types of "off" for the two control registers.
    pub sleep_off: Option<[u8; 2]>,
}

/// What is known of the machine; the defaults before this component has started.
#[must_use]
pub fn platform() -> &'static Platform {
    #[used]
    static DEFAULTS: Once<Platform> = Once::new();
    PLATFORM
        .get()
        .unwrap_or_else(|| DEFAULTS.call_once(Platform::default))
}

fn start(handover: &'static Handover) -> Result<(), StartError> {
    let memory = Firmware;
    let boot = &handover.boot;
    let instance = apic_instance(boot.command_line.as_str());
    let (platform, problems) = read(&memory, boot.acpi_root_pointer, instance);
    for problem in problems {
        log::warn!("{problem}");
    }
    PLATFORM.call_once(|| platform);
    Ok(())
}

/// Which of several tables of interrupt controllers counts: the first, unless the kernel command line
/// says `acpi_apic_instance=2` or another number, as for Linux. Some firmware has a wrong one and a right one.
fn apic_instance(command_line: &str) -> usize {
    let mut words = command_line.split_whitespace();
    let number = words.find_map(|word| word.strip_prefix("acpi_apic_instance="));
    number.and_then(|number| number.parse().ok()).unwrap_or(1)
}

/// Reads all tables. Whatever is wrong with one is in the second part of the answer.
fn read(
    memory: &impl PhysicalMemory,
    root_pointer: u64,
    apic_instance: usize,
) -> (Platform, Vec<TableError>) {
    let mut platform = Platform::default();
    let mut problems = Vec::new();
    let root = match Root::find(memory, root_pointer) {
        Ok(root) => root,
        Err(error) => return (platform, alloc::vec![error]),
    };
    match root
        .instance(memory, *b"APIC", apic_instance)
        .and_then(|table| madt::parse(&table))
    {
        Ok(model) => platform.interrupts = model,
        Err(error) => problems.push(error),
    }
    match root
        .table(memory, *b"FACP")
        .and_then(|table| fadt::parse(&table))
    {
        Ok(registers) => {
            match Table::read(memory, registers.dsdt).and_then(|table| aml::sleep_off(&table)) {
                Ok(types) => platform.sleep_off = Some(types),
                Err(error) => problems.push(error),
            }
            platform.registers = Some(registers);
        }
        Err(error) => problems.push(error),
    }
    (platform, problems)
}

#[cfg(test)]
mod tests;
