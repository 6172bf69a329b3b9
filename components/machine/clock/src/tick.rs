//! The timer interrupt.

use core::sync::atomic::{AtomicU64, Ordering};

use apic::Timer;
use cpu::IrqMutex;
use interrupts::TrapFrame;

use crate::{ClockError, measure::Rates};

/// Time from one tick to the next.
pub const TICK_NS: u64 = 4_000_000;

#[used]
static TICKS: AtomicU64 = AtomicU64::new(0);
#[used]
static HOOK: IrqMutex<Option<fn()>> = IrqMutex::new(None);

/// Names what is called at each timer tick, in the interrupt handler.
pub fn register_tick(tick: fn()) {
    *HOOK.lock() = Some(tick);
}

/// Timer ticks since boot, of all CPUs.
#[must_use]
pub fn tick_count() -> u64 {
    TICKS.load(Ordering::Relaxed)
}

/// Starts the timer of this CPU. Ticks arrive once interrupts are enabled.
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
    apic::start_timer(Timer::Periodic, Some(vector), count);
    Ok(())
}

fn on_tick(_: &mut TrapFrame) {
    TICKS.fetch_add(1, Ordering::Relaxed);
    let hook = *HOOK.lock();
    if let Some(hook) = hook {
        hook();
    }
}
