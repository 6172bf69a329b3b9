//! Interrupt controllers and processors (ACPI 6.5, section 5.2.12).

use alloc::{vec, vec::Vec};

use crate::{
    TableError,
    table::{Table, u8_at, u16_at, u32_at, u64_at},
};

/// Where a PC's local and I/O APICs are if no table says otherwise.
const DEFAULT_LOCAL_APIC: u64 = 0xFEE0_0000;
const DEFAULT_IO_APIC: u64 = 0xFEC0_0000;

/// Offset of the first entry.
const ENTRIES: usize = 44;

/// Interrupt controllers and processors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterruptModel {
    /// Physical address of the local APICs' registers.
    pub local_apic: u64,
    /// The I/O APICs.
    pub io_apics: Vec<IoApic>,
    /// Legacy interrupts that arrive elsewhere or otherwise than by default.
    pub overrides: Vec<Override>,
    /// The processors that can be used, the boot processor among them.
    pub processors: Vec<Processor>,
}

/// An I/O APIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IoApic {
    /// Physical address of its registers.
    pub address: u64,
    /// The global system interrupt of its first input.
    pub first_interrupt: u32,
}

/// A legacy interrupt that arrives elsewhere or otherwise than by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Override {
    /// The legacy interrupt.
    pub irq: u8,
    /// Where it arrives.
    pub interrupt: u32,
    /// Which level means that it is asserted.
    pub polarity: Polarity,
    /// Whether the edge or the level counts.
    pub trigger: Trigger,
}

/// Which level of an interrupt line means that it is asserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polarity {
    /// High, as on the ISA bus.
    ActiveHigh,
    /// Low.
    ActiveLow,
}

/// What of an interrupt line counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// The edge, as on the ISA bus.
    Edge,
    /// The level.
    Level,
}

/// A processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Processor {
    /// The number of its local APIC.
    pub apic_id: u32,
}

impl Default for InterruptModel {
    /// What every PC has: one I/O APIC, with the PIT at its input 2.
    fn default() -> Self {
        Self {
            local_apic: DEFAULT_LOCAL_APIC,
            io_apics: vec![IoApic {
                address: DEFAULT_IO_APIC,
                first_interrupt: 0,
            }],
            overrides: vec![Override {
                irq: 0,
                interrupt: 2,
                polarity: Polarity::ActiveHigh,
                trigger: Trigger::Edge,
            }],
            processors: Vec::new(),
        }
    }
}

pub(crate) fn parse(table: &Table) -> Result<InterruptModel, TableError> {
    let bytes = table.bytes();
    let truncated = |offset| TableError::Truncated {
        signature: table.signature(),
        offset,
    };
    let mut model = InterruptModel {
        local_apic: u64::from(u32_at(bytes, 36).ok_or(truncated(36))?),
        io_apics: Vec::new(),
        overrides: Vec::new(),
        processors: Vec::new(),
    };
    let mut offset = ENTRIES;
    while offset < bytes.len() {
        let length = u8_at(bytes, offset + 1).map_or(0, usize::from);
        let entry = bytes
            .get(offset..offset + length)
            .filter(|entry| entry.len() >= 2);
        let entry = entry.ok_or(truncated(offset))?;
        parse_entry(entry, &mut model).ok_or(truncated(offset))?;
        offset += length;
    }
    Ok(model)
}

/// Adds what an entry says; none if it ends too early.
fn parse_entry(entry: &[u8], model: &mut InterruptModel) -> Option<()> {
    match u8_at(entry, 0)? {
        0 => add_processor(model, u32::from(u8_at(entry, 3)?), u32_at(entry, 4)?),
        1 => model.io_apics.push(IoApic {
            address: u64::from(u32_at(entry, 4)?),
            first_interrupt: u32_at(entry, 8)?,
        }),
        2 => model.overrides.push(Override {
            irq: u8_at(entry, 3)?,
            interrupt: u32_at(entry, 4)?,
            polarity: polarity(u16_at(entry, 8)?),
            trigger: trigger(u16_at(entry, 8)?),
        }),
        5 => model.local_apic = u64_at(entry, 4)?,
        9 => add_processor(model, u32_at(entry, 4)?, u32_at(entry, 8)?),
        _ => {} // Other entries say nothing that this system uses.
    }
    Some(())
}

fn add_processor(model: &mut InterruptModel, apic_id: u32, flags: u32) {
    /// The processor works.
    const ENABLED: u32 = 1;
    if flags & ENABLED != 0
        && model
            .processors
            .iter()
            .all(|other| other.apic_id != apic_id)
    {
        model.processors.push(Processor { apic_id });
    }
}

fn polarity(flags: u16) -> Polarity {
    // 0 is "as the bus has it", and the bus is ISA.
    if flags & 0b11 == 0b11 {
        Polarity::ActiveLow
    } else {
        Polarity::ActiveHigh
    }
}

fn trigger(flags: u16) -> Trigger {
    if flags >> 2 & 0b11 == 0b11 {
        Trigger::Level
    } else {
        Trigger::Edge
    }
}
