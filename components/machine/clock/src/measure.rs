//! How fast the time-stamp counter and the local APIC's timer run.

use core::cell::Cell;

use apic::Timer;

use crate::{ClockError, reference::Reference, scale};

/// How long the measurement takes. One tick of the ACPI timer is 0.03 % of it.
pub const MEASUREMENT_NS: u64 = 1_000_000;

/// Ticks a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Of the time-stamp counter.
    pub counter_hz: u64,
    /// Of the local APIC's timer, behind its divider.
    pub timer_hz: u64,
}

/// Measures both against the ACPI timer, or the PIT where that is missing or stands.
pub(crate) fn measure(pm_timer: Option<u16>) -> Result<(Rates, Reference), ClockError> {
    let _undisturbed = cpu::InterruptsOff::new();
    pm_timer
        .map(Reference::PowerManagement)
        .into_iter()
        .chain([Reference::IntervalTimer])
        .find_map(|reference| Some((measure_by(reference)?, reference)))
        .ok_or(ClockError::NoReference)
}

fn measure_by(reference: Reference) -> Option<Rates> {
    let begin = Cell::new(0);
    let ns = reference.wait(MEASUREMENT_NS, || {
        apic::start_timer(Timer::Once, None, u32::MAX);
        begin.set(cpu::timestamp());
    });
    let ticks = cpu::timestamp() - begin.get();
    let timer_ticks = u32::MAX - apic::timer_count();
    apic::stop_timer();
    let ns = ns?;
    Some(Rates {
        counter_hz: scale::hz(ticks, ns),
        timer_hz: scale::hz(u64::from(timer_ticks), ns),
    })
}
