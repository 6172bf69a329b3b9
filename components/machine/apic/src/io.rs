//! I/O APICs (Intel 82093AA data sheet).

use alloc::vec::Vec;

use acpi_tables::{IoApic, Polarity, Trigger};
use cpu::IrqMutex;
use device_memory::{Caching, DeviceMemory};
use handover::PhysicalRange;

use crate::ApicError;

/// Offsets of the two registers in memory: which one is meant, and its content.
const SELECT: usize = 0x00;
const WINDOW: usize = 0x10;
const REGISTERS: u64 = 0x20;

/// Register 1: bits 16 to 23 are the number of the last input.
const VERSION: u32 = 1;
/// First of two registers for each input.
const REDIRECTION: u32 = 0x10;

/// Redirection entry, low half.
const AS_NMI: u32 = 0b100 << 8;
const ACTIVE_LOW: u32 = 1 << 13;
const LEVEL: u32 = 1 << 15;
const MASKED: u32 = 1 << 16;

#[used]
static CONTROLLERS: IrqMutex<Vec<Controller>> = IrqMutex::new(Vec::new());

struct Controller {
    registers: DeviceMemory,
    first_interrupt: u32,
    inputs: u32,
}

/// How an input is to be sent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Redirection {
    pub(crate) vector: u8,
    /// Whether it is sent on as a non-maskable interrupt, whatever the vector.
    pub(crate) non_maskable: bool,
    pub(crate) polarity: Polarity,
    pub(crate) trigger: Trigger,
    pub(crate) apic_id: u32,
}

impl Redirection {
    fn words(self) -> [u32; 2] {
        let polarity = if self.polarity == Polarity::ActiveLow {
            ACTIVE_LOW
        } else {
            0
        };
        let trigger = if self.trigger == Trigger::Level {
            LEVEL
        } else {
            0
        };
        let delivery = if self.non_maskable { AS_NMI } else { 0 };
        [
            u32::from(self.vector) | delivery | polarity | trigger,
            self.apic_id << 24,
        ]
    }
}

/// Maps the controllers and masks their inputs. Answers with how many inputs there are.
pub(crate) fn start(controllers: &[IoApic]) -> Result<u32, ApicError> {
    let mut all = 0;
    for io_apic in controllers {
        let controller = Controller::new(*io_apic)?;
        for input in 0..controller.inputs {
            controller.write_entry(input, [MASKED, 0])?;
        }
        all += controller.inputs;
        let mut list = Vec::with_capacity(controllers.len());
        list.append(&mut *CONTROLLERS.lock());
        list.push(controller);
        *CONTROLLERS.lock() = list;
    }
    Ok(all)
}

/// Sends `interrupt` on. Answers false if no controller has it as an input.
pub(crate) fn redirect(interrupt: u32, redirection: Redirection) -> Result<bool, ApicError> {
    write(interrupt, redirection.words())
}

/// Sends `interrupt` nowhere.
pub(crate) fn mask(interrupt: u32) -> Result<bool, ApicError> {
    write(interrupt, [MASKED, 0])
}

fn write(interrupt: u32, words: [u32; 2]) -> Result<bool, ApicError> {
    for controller in CONTROLLERS.lock().iter() {
        let input = interrupt.checked_sub(controller.first_interrupt);
        if let Some(input) = input.filter(|input| *input < controller.inputs) {
            controller.write_entry(input, words)?;
            return Ok(true);
        }
    }
    Ok(false)
}

impl Controller {
    fn new(io_apic: IoApic) -> Result<Self, ApicError> {
        let range = PhysicalRange {
            start: io_apic.address,
            end: io_apic.address + REGISTERS,
        };
        let registers = DeviceMemory::map(range, Caching::Uncached)?;
        let first_interrupt = io_apic.first_interrupt;
        let mut controller = Self {
            registers,
            first_interrupt,
            inputs: 0,
        };
        controller.inputs = (controller.read(VERSION)? >> 16 & 0xFF) + 1;
        Ok(controller)
    }

    /// Writes an input's entry; masked in between, so that no half of it takes effect.
    fn write_entry(&self, input: u32, [low, high]: [u32; 2]) -> Result<(), ApicError> {
        let register = REDIRECTION + 2 * input;
        self.write(register, MASKED)?;
        self.write(register + 1, high)?;
        self.write(register, low)
    }

    fn read(&self, register: u32) -> Result<u32, ApicError> {
        self.registers.write(SELECT, register)?;
        Ok(self.registers.read(WINDOW)?)
    }

    fn write(&self, register: u32, value: u32) -> Result<(), ApicError> {
        self.registers.write(SELECT, register)?;
        Ok(self.registers.write(WINDOW, value)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_redirection() {
        let edge = Redirection {
            vector: 0x31,
            non_maskable: false,
            polarity: Polarity::ActiveHigh,
            trigger: Trigger::Edge,
            apic_id: 2,
        };
        assert_eq!(edge.words(), [0x31, 2 << 24]);
        let level = Redirection {
            polarity: Polarity::ActiveLow,
            trigger: Trigger::Level,
            ..edge
        };
        assert_eq!(level.words(), [0xA031, 2 << 24]);
    }
}
