//! The timer interrupt: a tick at a fixed rate while a CPU works. One that idles rests: it is only
//! interrupted when something is due.

use core::sync::atomic::{AtomicU64, Ordering};

use apic::Timer;
use cpu::{CpuId, MAX_CPUS};
use interrupts::TrapFrame;
use spin::Once;

use crate::{ClockError, measure::Rates, watchdog};

/// Time from one tick to the next.
pub const TICK_NS: u64 = 4_000_000;

/// Longest time that a CPU rests. Nothing should depend on it; but should something that a CPU waits for
/// ever come without an interrupt, it is late and not lost.
const LONGEST_REST_NS: u64 = 1_000_000_000;

/// Of each CPU, what the clock shows when its rest ends; 0 while it ticks.
#[used]
static RESTING: [AtomicU64; MAX_CPUS] = [const { AtomicU64::new(0) }; MAX_CPUS];

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

/// Timer interrupts since boot, of all CPUs.
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

/// Stops the ticks of the CPU that runs this, until [`resume`]. It is interrupted when the clock shows
/// `due_ns`, unless another CPU is interrupted until then, and looks at what is due; in any case after a
/// second. Interrupts must be off.
pub fn rest(due_ns: Option<u64>) {
    let me = cpu::current_cpu();
    let (Some(TickTimer { vector, count }), Some(resting)) = (TIMER.get(), RESTING.get(me.index()))
    else {
        return;
    };
    let now_ns = crate::now_ns();
    let latest_ns = now_ns.saturating_add(LONGEST_REST_NS);
    // Two CPUs that begin to rest at once must not rely on each other: each says so before it looks.
    resting.store(latest_ns, Ordering::SeqCst);
    let until_ns = due_ns
        .filter(|due_ns| *due_ns < latest_ns && !another_looks_until(me, *due_ns))
        .unwrap_or(latest_ns);
    resting.store(until_ns, Ordering::SeqCst);
    let ns = until_ns.saturating_sub(now_ns);
    let counts = u128::from(*count) * u128::from(ns) / u128::from(TICK_NS);
    // Not too early: nothing would be due yet. And from 0 the timer would not start.
    let counts = u32::try_from(counts + 1).unwrap_or(u32::MAX);
    apic::start_timer(Timer::Once, Some(*vector), counts);
}

/// Whether a CPU other than `me` is interrupted by its timer until the clock shows `due_ns`, or soon after.
fn another_looks_until(me: CpuId, due_ns: u64) -> bool {
    let looks = |cpu: CpuId| {
        let until_ns = RESTING.get(cpu.index());
        until_ns.is_some_and(|until_ns| until_ns.load(Ordering::SeqCst) <= due_ns)
    };
    cpu::online_cpus().without(me).iter().any(looks)
}

/// Lets the CPU that runs this tick again, if it rests. Interrupts must be off.
#[inline]
pub fn resume() {
    let me = cpu::current_cpu();
    if is_resting(me) {
        end_rest(me);
    }
}

#[cold]
fn end_rest(me: CpuId) {
    if let Some(resting) = RESTING.get(me.index()) {
        resting.store(0, Ordering::SeqCst);
    }
    watchdog::note_alive();
    start_cpu();
}

/// Whether `cpu` rests, or should have stopped to.
#[inline]
fn is_resting(cpu: CpuId) -> bool {
    let until_ns = RESTING.get(cpu.index());
    until_ns.is_some_and(|until_ns| until_ns.load(Ordering::Relaxed) != 0)
}

/// Whether `cpu` rests and its timer is not due yet.
pub(crate) fn need_not_tick(cpu: CpuId) -> bool {
    let until_ns = RESTING.get(cpu.index());
    until_ns.is_some_and(|until_ns| crate::now_ns() < until_ns.load(Ordering::Relaxed))
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
    watchdog::note_alive();
    if let Some(hook) = HOOK.get() {
        hook();
    }
}
