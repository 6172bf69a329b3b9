//! The fixed registers (ACPI 6.5, section 5.2.9).

use crate::{
    TableError,
    table::{Table, u8_at, u16_at, u32_at, u64_at},
};

/// A generic address in I/O space (ACPI 6.5, table 5.1).
const IO_SPACE: u8 = 1;
/// Flag: the reset register is there.
const RESET_SUPPORTED: u32 = 1 << 10;

/// The fixed registers that this system uses, as I/O ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixedRegisters {
    /// Physical address of the definition block.
    pub(crate) dsdt: u64,
    /// Power management control, block a.
    pub pm1a_control: Option<u16>,
    /// Power management control, block b.
    pub pm1b_control: Option<u16>,
    /// The power management timer.
    pub pm_timer: Option<u16>,
    /// Port, and value that switches ACPI mode on, if it has to be.
    pub enable: Option<(u16, u8)>,
    /// What resets the machine.
    pub reset: Option<ResetRegister>,
}

/// What resets the machine when `value` is written to the I/O port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResetRegister {
    /// The port.
    pub port: u16,
    /// The value.
    pub value: u8,
}

pub(crate) fn parse(table: &Table) -> Result<FixedRegisters, TableError> {
    let bytes = table.bytes();
    let truncated = |offset| TableError::Truncated {
        signature: table.signature(),
        offset,
    };
    let short_dsdt = u32_at(bytes, 40).ok_or(truncated(40))?;
    let command = port(bytes, 48)
        .zip(u8_at(bytes, 52))
        .filter(|(_, value)| *value != 0);
    Ok(FixedRegisters {
        dsdt: u64_at(bytes, 140)
            .filter(|long| *long != 0)
            .unwrap_or(u64::from(short_dsdt)),
        pm1a_control: port(bytes, 64).or_else(|| generic_port(bytes, 172)),
        pm1b_control: port(bytes, 68).or_else(|| generic_port(bytes, 184)),
        pm_timer: port(bytes, 76).or_else(|| generic_port(bytes, 208)),
        enable: command,
        reset: reset(bytes),
    })
}

fn reset(bytes: &[u8]) -> Option<ResetRegister> {
    let supported = u32_at(bytes, 112)? & RESET_SUPPORTED != 0;
    let port = generic_port(bytes, 116).filter(|_| supported)?;
    Some(ResetRegister {
        port,
        value: u8_at(bytes, 128)?,
    })
}

/// A port given by its number in 32 bits; 0 means none.
fn port(bytes: &[u8], offset: usize) -> Option<u16> {
    u32_at(bytes, offset)
        .and_then(|port| u16::try_from(port).ok())
        .filter(|port| *port != 0)
}

/// A port given by a generic address.
fn generic_port(bytes: &[u8], offset: usize) -> Option<u16> {
    let in_io_space = u8_at(bytes, offset)? == IO_SPACE;
    // The address has 64 bits, of which a port uses 16.
    let port = u16_at(bytes, offset + 4).filter(|port| *port != 0)?;
    in_io_space.then_some(port)
}
