//! Local and I/O APICs.
//!
//! The local APIC of each CPU takes interrupts and has a timer; the I/O APICs send the interrupts of
//! devices to vectors. The legacy controllers are masked for good.
//!
//! Principles: the way of an interrupt to a vector is a value ([`Route`]), and dropping it masks the
//! interrupt. A CPU that has the x2APIC is used by it, any other by its registers in memory.
//!
//! Neighbours: `acpi_tables` says where everything is; `interrupts` calls the end of interrupt that
//! is registered here; `clock` uses the timer; drivers call [`route()`]. Left out: message-signalled
//! interrupts, which need nothing from here, and interrupts between CPUs.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod error;
mod io;
mod legacy;
mod local;
mod route;

use component::{Handover, StartError};
use interrupts::TrapFrame;

pub use error::ApicError;
pub use local::{
    Message, Timer, apic_id, can_reach, send, start_cpu, start_timer, stop_timer, timer_count,
};
pub use route::{Route, route, route_non_maskable};

component::component! { start: start }

/// The vector by which one CPU interrupts another.
const KICK_VECTOR: u8 = interrupts::LAST_DEVICE_VECTOR + 1;

/// Quiets the legacy controllers before the local APIC can take what they send.
fn start(_: &'static Handover) -> Result<(), StartError> {
    let platform = acpi_tables::platform();
    legacy::mask();
    local::start(platform.interrupts.local_apic)?;
    let inputs = io::start(&platform.interrupts.io_apics)?;
    interrupts::set_end_of_interrupt(local::end_of_interrupt);
    interrupts::register(KICK_VECTOR, kicked)?.leak();
    cpu::register_kick(kick);
    log::info!(
        "{} at {:#x}, {inputs} inputs",
        local::kind(),
        platform.interrupts.local_apic
    );
    Ok(())
}

/// Interrupts another CPU.
fn kick(apic_id: u32) {
    send(apic_id, Message::Interrupt(KICK_VECTOR));
}

/// Another CPU has interrupted this one.
fn kicked(_: &mut TrapFrame) {
    cpu::serve_requests();
}
