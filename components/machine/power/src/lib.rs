//! Power off, reset and the exit status.
//!
//! Each way out is tried from the best to the crudest, and the last one cannot fail: the CPU stops.
//!
//! Neighbours: `acpi_tables` names the registers; the shell and `init` call this. Left out: sleep.
#![no_std]

mod ports;

use component::{Handover, StartError};
use cpu::InterruptsOff;
use x86_64::{VirtAddr, instructions::tables::lidt, structures::DescriptorTablePointer};

component::component! { start: start }

/// Sleep enable, and the place of the sleep type, in a control register (ACPI 6.5, table 4.16).
const SLEEP_ENABLE: u16 = 1 << 13;
const SLEEP_TYPE_SHIFT: u16 = 10;
const SLEEP_TYPE: u16 = 0b111 << SLEEP_TYPE_SHIFT;
/// ACPI mode is on.
const ACPI_MODE: u16 = 1;
/// How often to look whether it came on.
const PATIENCE: u32 = 100_000;

/// Turns ACPI mode on, without which "off" does nothing.
fn start(_: &'static Handover) -> Result<(), StartError> {
    let Some(registers) = &acpi_tables::platform().registers else {
        log::warn!("no ACPI registers; `poweroff` can only end an emulator");
        return Ok(());
    };
    let (Some(control), Some((port, value))) = (registers.pm1a_control, registers.enable) else {
        return Ok(()); // Nothing to turn on: ACPI mode is all that the machine has.
    };
    if ports::read_u16(control) & ACPI_MODE == 0 {
        ports::write_u8(port, value);
        let came_on = (0..PATIENCE).any(|_| ports::read_u16(control) & ACPI_MODE != 0);
        if !came_on {
            log::warn!("ACPI mode does not come on");
        }
    }
    Ok(())
}

/// Switches the machine off.
pub fn poweroff() -> ! {
    let _quiet = InterruptsOff::new();
    let platform = acpi_tables::platform();
    if let (Some(registers), Some([type_a, type_b])) = (&platform.registers, platform.sleep_off) {
        // Block b first: the machine is off once both, or the only one, have it.
        for (control, kind) in [
            (registers.pm1b_control, type_b),
            (registers.pm1a_control, type_a),
        ] {
            if let Some(control) = control {
                let kept = ports::read_u16(control) & !(SLEEP_TYPE | SLEEP_ENABLE);
                let kind = u16::from(kind) << SLEEP_TYPE_SHIFT & SLEEP_TYPE;
                ports::write_u16(control, kept | kind | SLEEP_ENABLE);
            }
        }
    }
    wait_for_the_end();
    cpu::emergency_print(format_args!(
        "\npower: this machine cannot be switched off by ACPI\n"
    ));
    ports::exit(1);
    cpu::halt()
}

/// An emulator ends some time after the register was written: its host may be busy, and if it counts
/// instructions, it executes many meanwhile.
fn wait_for_the_end() {
    /// A few seconds.
    const TICKS: u64 = 10_000_000_000;
    let begin = cpu::timestamp();
    while cpu::timestamp().wrapping_sub(begin) < TICKS {
        core::hint::spin_loop();
    }
}

/// Resets the machine.
pub fn reboot() -> ! {
    let _quiet = InterruptsOff::new();
    let reset = acpi_tables::platform()
        .registers
        .as_ref()
        .and_then(|known| known.reset);
    if let Some(reset) = reset {
        ports::write_u8(reset.port, reset.value);
        wait_for_the_end();
    }
    ports::reset_by_keyboard_controller();
    wait_for_the_end();
    reset_by_triple_fault()
}

/// Largest status that the exit device can tell the host: one of its 8 bits says that it was used.
/// A larger one would lose its highest bit, and 128 would come out as success.
const LARGEST_STATUS: u8 = 127;

/// Ends the virtual machine with this status, at most 127; switches the machine off if there is no
/// exit device.
pub fn exit(status: u8) -> ! {
    ports::exit(status.min(LARGEST_STATUS));
    ports::delay();
    poweroff()
}

/// Without a descriptor table, no exception can be delivered, nor the one that this raises, and the
/// CPU resets.
fn reset_by_triple_fault() -> ! {
    let nothing = DescriptorTablePointer {
        limit: 0,
        base: VirtAddr::zero(),
    };
    // SAFETY: nothing runs after this that needs a descriptor table: the next line ends it all.
    unsafe { lidt(&nothing) };
    x86_64::instructions::interrupts::int3();
    cpu::halt()
}
