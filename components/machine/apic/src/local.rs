//! The local APIC (Intel SDM volume 3, chapter 11).

use core::{arch::x86_64::__cpuid, sync::atomic::Ordering};

use device_memory::{Caching, DeviceMemory};
use handover::PhysicalRange;
use spin::Once;
use x86_64::registers::model_specific::Msr;

use crate::ApicError;

/// Registers, by their offset in memory (SDM table 11-1). The x2APIC has them as model-specific
/// registers, numbered by a sixteenth of that offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
enum Register {
    Id = 0x20,
    TaskPriority = 0x80,
    EndOfInterrupt = 0xB0,
    Spurious = 0xF0,
    CommandLow = 0x300,
    CommandHigh = 0x310,
    Timer = 0x320,
    Line0 = 0x350,
    Line1 = 0x360,
    Error = 0x370,
    InitialCount = 0x380,
    CurrentCount = 0x390,
    Divide = 0x3E0,
}

/// The spurious vector; its low four bits must be set on old processors. It needs no end of interrupt.
const SPURIOUS_VECTOR: u8 = 0xFF;
/// Spurious vector register: software enable.
const ENABLE: u32 = 1 << 8;
/// Local vector table: masked.
const MASKED: u32 = 1 << 16;
/// Local vector table and interrupt command: delivered as NMI.
const AS_NMI: u32 = 0b100 << 8;
/// Local vector table of the timer: periodic.
const PERIODIC: u32 = 1 << 17;
/// Divide configuration: by 16.
const BY_16: u32 = 0b0011;

/// Interrupt command, low half (SDM figure 11-12): delivery as INIT, as start-up, level asserted,
/// and whether the last one is still under way.
const AS_INIT: u32 = 0b101 << 8;
const AS_STARTUP: u32 = 0b110 << 8;
const ASSERT: u32 = 1 << 14;
const PENDING: u32 = 1 << 12;
/// Looks at a command under way before the next one is written all the same.
const PATIENCE: u32 = 100_000;
/// The largest number that a command can name by the registers in memory; 255 is all CPUs.
const LAST_ID_IN_MEMORY: u32 = 254;

/// Model-specific register IA32_APIC_BASE.
const APIC_BASE: u32 = 0x1B;
/// In it: the APIC is on; it is in x2APIC mode.
const APIC_BASE_ON: u64 = 1 << 11;
const APIC_BASE_X2: u64 = 1 << 10;
/// First model-specific register of the x2APIC.
const X2_FIRST: u32 = 0x800;
/// CPUID leaf 1, ECX: has the x2APIC.
const CPUID_X2: u32 = 1 << 21;

/// Length of the registers in memory.
const REGISTERS: u64 = 0x400;

#[used]
static LOCAL: Once<Access> = Once::new();

/// How this machine's local APICs are reached. Each CPU sees its own by the same way.
enum Access {
    Memory(DeviceMemory),
    ModelSpecific,
}

/// What one CPU can send another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// An interrupt of this vector.
    Interrupt(u8),
    /// A non-maskable interrupt.
    NonMaskable,
    /// A reset, after which the CPU waits for [`Message::Startup`].
    Init,
    /// Begin in real mode at the start of this page of physical memory.
    Startup(u8),
}

impl Message {
    const fn command(self) -> u32 {
        ASSERT
            | match self {
                Self::Interrupt(vector) => vector as u32,
                Self::NonMaskable => AS_NMI,
                Self::Init => AS_INIT,
                Self::Startup(page) => AS_STARTUP | page as u32,
            }
    }
}

/// How the timer counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// Down to 0, once.
    Once,
    /// Down to 0, again and again.
    Periodic,
}

/// Finds the way to the local APICs and starts that of the boot CPU.
pub(crate) fn start(address: u64) -> Result<(), ApicError> {
    let access = if has_x2apic() {
        Access::ModelSpecific
    } else {
        let range = PhysicalRange {
            start: address,
            end: address + REGISTERS,
        };
        Access::Memory(DeviceMemory::map(range, Caching::Uncached)?)
    };
    let access = LOCAL.call_once(|| access);
    start_this_cpu(access);
    Ok(())
}

/// Starts the local APIC of a further CPU, the one that runs this.
pub fn start_cpu() {
    if let Some(access) = LOCAL.get() {
        start_this_cpu(access);
    }
}

fn start_this_cpu(access: &Access) {
    let mut base = Msr::new(APIC_BASE);
    // SAFETY: every x86-64 processor has this register.
    let on = unsafe { base.read() } | APIC_BASE_ON;
    let mode = if matches!(access, Access::ModelSpecific) {
        APIC_BASE_X2
    } else {
        0
    };
    // SAFETY: the APIC stays where it is; x2APIC mode is only set when the CPU has it.
    unsafe { base.write(on | mode) };
    for line in [Register::Timer, Register::Line0, Register::Error] {
        access.write(line, MASKED);
    }
    access.write(Register::Line1, AS_NMI);
    access.write(Register::TaskPriority, 0);
    access.write(Register::Spurious, ENABLE | u32::from(SPURIOUS_VECTOR));
    // An interrupt that was being handled when the firmware left would block its priority.
    access.write(Register::EndOfInterrupt, 0);
    cpu::local().set_apic_id(access.own_id());
}

/// Whether a message can name the CPU with this number.
#[must_use]
pub fn can_reach(apic_id: u32) -> bool {
    matches!(LOCAL.get(), Some(Access::ModelSpecific)) || apic_id <= LAST_ID_IN_MEMORY
}

/// Sends `message` to the CPU with the local APIC `apic_id`.
pub fn send(apic_id: u32, message: Message) {
    if let Some(access) = LOCAL.get() {
        access.send(apic_id, message.command());
    }
}

pub(crate) fn kind() -> &'static str {
    match LOCAL.get() {
        Some(Access::ModelSpecific) => "x2APIC",
        Some(Access::Memory(_)) => "xAPIC",
        None => "no APIC",
    }
}

/// Tells the local APIC that the handler of `vector` is done.
pub(crate) fn end_of_interrupt(vector: u8) {
    if vector != SPURIOUS_VECTOR {
        write(Register::EndOfInterrupt, 0);
    }
}

/// The number of this CPU's local APIC.
#[must_use]
pub fn apic_id() -> u32 {
    LOCAL.get().map_or(0, Access::own_id)
}

/// Starts this CPU's timer: it counts down from `count`, by 1 every 16 ticks of its clock, and sends
/// `vector` at 0. A `vector` of none counts in silence.
pub fn start_timer(timer: Timer, vector: Option<u8>, count: u32) {
    let mode = if timer == Timer::Periodic {
        PERIODIC
    } else {
        0
    };
    // While it has a count, a change of the mode takes effect at once, and with what is left of a short
    // wait a periodic timer would interrupt all the time (and QEMU's do nothing else any more).
    write(Register::InitialCount, 0);
    write(Register::Divide, BY_16);
    write(Register::Timer, mode | vector.map_or(MASKED, u32::from));
    write(Register::InitialCount, count);
}

/// Stops this CPU's timer.
pub fn stop_timer() {
    write(Register::InitialCount, 0);
    write(Register::Timer, MASKED);
}

/// What this CPU's timer still has to count.
#[must_use]
pub fn timer_count() -> u32 {
    LOCAL
        .get()
        .map_or(0, |access| access.read(Register::CurrentCount))
}

fn write(register: Register, value: u32) {
    if let Some(access) = LOCAL.get() {
        access.write(register, value);
    }
}

impl Access {
    fn own_id(&self) -> u32 {
        match self {
            Self::Memory(_) => self.read(Register::Id) >> 24,
            Self::ModelSpecific => self.read(Register::Id),
        }
    }

    fn send(&self, apic_id: u32, command: u32) {
        if let Self::ModelSpecific = self {
            // What was stored before must be seen by whoever gets the message: unlike a store to
            // memory, this write does not wait for that (SDM section 11.12.3).
            core::sync::atomic::fence(Ordering::SeqCst);
            let mut command_register = Msr::new(Register::CommandLow.number());
            // SAFETY: as in `write`; the register has both halves, the CPU in the upper one.
            unsafe { command_register.write(u64::from(apic_id) << 32 | u64::from(command)) };
            return;
        }
        // The two halves belong together.
        let _off = cpu::InterruptsOff::new();
        self.wait_until_sent();
        self.write(Register::CommandHigh, apic_id << 24);
        self.write(Register::CommandLow, command);
    }

    fn wait_until_sent(&self) {
        for _ in 0..PATIENCE {
            if self.read(Register::CommandLow) & PENDING == 0 {
                return;
            }
            core::hint::spin_loop();
        }
    }

    fn read(&self, register: Register) -> u32 {
        match self {
            // All registers lie within the window, so the answer is never the default.
            Self::Memory(window) => window.read(register.offset()).unwrap_or(0),
            #[expect(clippy::cast_possible_truncation, reason = "the high half is reserved")]
            Self::ModelSpecific => {
                // SAFETY: the CPU has the x2APIC, whose registers these are.
                unsafe { Msr::new(register.number()).read() as u32 }
            }
        }
    }

    fn write(&self, register: Register, value: u32) {
        match self {
            // All registers lie within the window, so this never fails.
            Self::Memory(window) => drop(window.write(register.offset(), value)),
            Self::ModelSpecific => {
                // SAFETY: as in `read`; what is written only concerns interrupts, whose vectors all
                // have entries.
                unsafe { Msr::new(register.number()).write(u64::from(value)) };
            }
        }
    }
}

impl Register {
    const fn offset(self) -> usize {
        self as usize
    }

    const fn number(self) -> u32 {
        X2_FIRST + (self as u32 >> 4)
    }
}

fn has_x2apic() -> bool {
    __cpuid(1).ecx & CPUID_X2 != 0
}
