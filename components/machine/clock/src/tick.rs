//! The timer interrupt.

use core::sync::atomic::{AtomicU64, Ordering};

use apic::Timer;
use interrupts::TrapFrame;
use spin::Once;

use crate::{ClockError, measure::Rates, watchdog};

/// Time from one tick to the next.
pub const TICK_NS: u64 = 4_000_000;

#[used]
static TICKS: AtomicU64 = AtomicU64::new(0);
#[used]
static HOOK: Once<fn()> = Once::new();
#[used]
static TIMER: Once<TickTimer> = Once::new();

/// How the timer of each CPU is set.
struct TickTimer {
    vector: u8,
    count: u32,
}

/// Names what is called at each timer tick, in the interrupt handler of each CPU. The first one stays.
pub fn register_tick(tick: fn()) {
    HOOK.call_once(|| tick);
}

/// Timer ticks since boot, of all CPUs.
#[must_use]
pub fn tick_count() -> u64 {
    TICKS.load(Ordering::Relaxed)
}

/// Starts the timer of a further CPU, the one that runs this: all timers have one rate.
pub fn start_cpu() {
    if let Some(TickTimer { vector, count }) = TIMER.get() {
        apic::start_timer(Timer::Periodic, Some(*vector), *count);
    }
}

/// Starts the timer of the boot CPU. Ticks arrive once interrupts are enabled.
pub(crate) fn start(timer_hz: u64) -> Result<(), ClockError> {
    let count = u128::from(timer_hz) * u128::from(TICK_NS) / 1_000_000_000;
    let implausible = ClockError::Implausible(Rates {
        counter_hz: 0,
        timer_hz,
    });
    let count = u32::try_from(count)
        .ok()
        .filter(|count| *count > 0)
        .ok_or(implausible)?;
    let vector = interrupts::allocate(on_tick)?.leak();
    TIMER.call_once(|| TickTimer { vector, count });
    start_cpu();
    Ok(())
}

fn on_tick(_: &mut TrapFrame) {
    TICKS.fetch_add(1, Ordering::Relaxed);
    watchdog::note_tick();
    if let Some(hook) = HOOK.get() {
        hook();
    }
}
