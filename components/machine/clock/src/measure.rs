//! How fast the time-stamp counter and the local APIC's timer run.

use apic::Timer;

use crate::{ClockError, reference::Reference, scale};

/// How long the measurement takes. One tick of the ACPI timer is 0.03 % of it.
pub const MEASUREMENT_NS: u64 = 1_000_000;

/// Looks at a reference after which it is taken to stand still.
const PATIENCE: u32 = 1_000_000;
/// Samples of which the quickest counts: a virtual machine may be stopped in the middle of one.
const SAMPLES: usize = 5;

/// Ticks a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Of the time-stamp counter.
    pub counter_hz: u64,
    /// Of the local APIC's timer, behind its divider.
    pub timer_hz: u64,
}

/// All three counters at one moment, as nearly as it can be had.
#[derive(Clone, Copy)]
struct Sample {
    reference: u32,
    counter: u64,
    timer: u32,
    /// How long taking it took.
    spread: u64,
}

/// Measures both against the ACPI timer, or the PIT where that is missing or stands.
pub(crate) fn measure(pm_timer: Option<u16>) -> Result<(Rates, Reference), ClockError> {
    let _undisturbed = cpu::InterruptsOff::new();
    apic::start_timer(Timer::Once, None, u32::MAX);
    let measured = pm_timer
        .map(Reference::PowerManagement)
        .into_iter()
        .chain([Reference::IntervalTimer])
        .find_map(|reference| Some((measure_by(reference)?, reference)));
    apic::stop_timer();
    measured.ok_or(ClockError::NoReference)
}

/// None if the reference stands still.
fn measure_by(reference: Reference) -> Option<Rates> {
    reference.start();
    let wanted = MEASUREMENT_NS * reference.hz() / 1_000_000_000;
    let first = best_sample(reference)?;
    let elapsed = || reference.elapsed(first.reference, reference.read());
    (0..PATIENCE).find(|_| elapsed() >= wanted)?;
    let last = best_sample(reference)?;
    let ticks = reference.elapsed(first.reference, last.reference);
    let ns = ticks * 1_000_000_000 / reference.hz();
    Some(Rates {
        counter_hz: scale::hz(last.counter - first.counter, ns),
        timer_hz: scale::hz(u64::from(first.timer - last.timer), ns),
    })
}

fn best_sample(reference: Reference) -> Option<Sample> {
    let first = sample(reference)?;
    Some((1..SAMPLES).fold(first, |best, _| match sample(reference) {
        Some(sample) if sample.spread < best.spread => sample,
        _ => best,
    }))
}

/// Takes a sample just after the reference has moved, so that its last digit counts.
fn sample(reference: Reference) -> Option<Sample> {
    let before = reference.read();
    (0..PATIENCE).find_map(|_| {
        let begin = cpu::timestamp();
        let now = reference.read();
        let counter = cpu::timestamp();
        (now != before).then(|| {
            let timer = apic::timer_count();
            Sample {
                reference: now,
                counter,
                timer,
                spread: cpu::timestamp() - begin,
            }
        })
    })
}
