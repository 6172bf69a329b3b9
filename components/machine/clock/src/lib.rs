//! Monotonic time and the timer interrupt.
//!
//! Time is the time-stamp counter, whose rate is measured once at boot against a clock of known
//! rate; the same measurement gives the rate of the local APIC's timer, which then ticks.
//!
//! Principles: reading the time takes no lock and no device. The measurement costs
//! [`MEASUREMENT_NS`] of boot and no more. What has to be done at each tick is registered here by the
//! layer above.
//!
//! Neighbours: `apic` for the timer, `acpi_tables` for the power management timer; `task` for
//! ticks. Left out: the date.
#![cfg_attr(not(test), no_std)]

mod error;
mod measure;
mod reference;
mod scale;
mod tick;
mod watchdog;

use core::time::Duration;

use component::{Handover, StartError};
use spin::Once;

pub use error::ClockError;
pub use measure::MEASUREMENT_NS;
pub use tick::{TICK_NS, register_tick, rest, resume, start_cpu, tick_count};
pub use watchdog::{has_watchdog, is_stuck, start_watchdog};

use measure::Rates;
use scale::Scale;

component::component! { start: start }

/// What time is made of.
struct Clock {
    /// The counter when time began.
    begin: u64,
    scale: Scale,
}

#[used]
static CLOCK: Once<Clock> = Once::new();

fn start(handover: &'static Handover) -> Result<(), StartError> {
    let port = acpi_tables::platform()
        .registers
        .as_ref()
        .and_then(|known| known.pm_timer);
    let (rates, reference) = measure::measure(port)?;
    let Rates {
        counter_hz,
        timer_hz,
    } = rates;
    let scale = Scale::from_hz(counter_hz).ok_or(ClockError::Implausible(rates))?;
    // Boot's beginning is the nucleus's first instruction, so that uptime includes it.
    CLOCK.call_once(|| Clock {
        begin: handover.counters.entry,
        scale,
    });
    tick::start(timer_hz)?;
    log::info!(
        "counter {} kHz, timer {} kHz, by the {reference}",
        counter_hz / 1000,
        timer_hz / 1000
    );
    Ok(())
}

/// Nanoseconds since boot; never goes back. 0 before this component has started.
#[must_use]
pub fn now_ns() -> u64 {
    CLOCK.get().map_or(0, |clock| {
        clock
            .scale
            .to_ns(cpu::timestamp().saturating_sub(clock.begin))
    })
}

/// Time since boot.
#[must_use]
pub fn now() -> Duration {
    Duration::from_nanos(now_ns())
}

/// How many time-stamp counter ticks `ns` nanoseconds are; 0 before this component has started.
#[must_use]
pub fn ns_to_ticks(ns: u64) -> u64 {
    CLOCK.get().map_or(0, |clock| clock.scale.to_ticks(ns))
}

/// The time that a number of time-stamp counter ticks takes.
#[must_use]
pub fn ticks_to_ns(ticks: u64) -> u64 {
    CLOCK.get().map_or(0, |clock| clock.scale.to_ns(ticks))
}
