//! Which CPU does not take its timer interrupt.
//!
//! A CPU that loops with interrupts off can be reached by a non-maskable interrupt alone. Channel 0 of
//! the legacy interval timer sends one to the CPU that booted, 18 times a second; that CPU passes it on
//! to those whose timer has not ticked since the last one. Who has taken several and no tick between
//! them is stuck. It counts what it has taken and not the time, because in a virtual machine it may be
//! that it has not run at all.

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use apic::{ApicError, Message};
use cpu::{CpuId, MAX_CPUS};

use crate::{reference, tick};

/// The legacy interrupt of the interval timer's channel 0.
const IRQ: u8 = 0;

/// How many non-maskable interrupts without a tick make the only CPU stuck: 440 ms. Nothing in this
/// system keeps interrupts off for that long by itself.
const PATIENCE_ALONE: u32 = 8;

/// The same with several CPUs: 10 s. A CPU that has asked the others for something waits for their
/// answer with interrupts off, for seconds when the host of a virtual machine does not let them run.
const PATIENCE: u32 = 182;

/// What is known of a CPU.
struct Watched {
    /// How often it has been seen to take its timer's interrupts, since boot.
    signs: AtomicU64,
    /// How often that was when the CPU that booted looked last.
    seen: AtomicU64,
    /// Non-maskable interrupts that it has taken since the last such sign.
    since_sign: AtomicU32,
}

#[used]
static WATCHED: [Watched; MAX_CPUS] = [const {
    Watched {
        signs: AtomicU64::new(0),
        seen: AtomicU64::new(0),
        since_sign: AtomicU32::new(0),
    }
}; MAX_CPUS];

#[used]
static STARTED: AtomicBool = AtomicBool::new(false);

/// Starts the watchdog. Whoever calls this has a handler for non-maskable interrupts, which asks
/// [`is_stuck`].
///
/// # Errors
///
/// When the interval timer's interrupt cannot be had.
pub fn start_watchdog() -> Result<(), ApicError> {
    apic::route_non_maskable(IRQ)?.leak();
    reference::start_interval_timer();
    STARTED.store(true, Ordering::Relaxed);
    Ok(())
}

/// Whether the watchdog has been started, so that non-maskable interrupts are to be expected.
#[must_use]
pub fn has_watchdog() -> bool {
    STARTED.load(Ordering::Relaxed)
}

/// Whether the CPU that runs this has not taken its timer interrupt for too long. To be asked once in
/// each non-maskable interrupt, which it passes on to other CPUs that do not tick.
#[must_use]
pub fn is_stuck() -> bool {
    let me = cpu::current_cpu();
    if me == CpuId(0) {
        pass_on();
    }
    let Some(watched) = WATCHED.get(me.index()) else {
        return false;
    };
    // Before the first sign it could not take any; while it is parked it must not; until its rest ends it need
    // not.
    if watched.signs.load(Ordering::Relaxed) == 0 || cpu::is_parked() || tick::need_not_tick(me) {
        return false;
    }
    let patience = if cpu::alone() {
        PATIENCE_ALONE
    } else {
        PATIENCE
    };
    let stuck = watched.since_sign.fetch_add(1, Ordering::Relaxed) + 1 >= patience;
    if stuck {
        watched.since_sign.store(0, Ordering::Relaxed);
    }
    stuck
}

fn pass_on() {
    for other in cpu::online_cpus().without(CpuId(0)).iter() {
        if tick::need_not_tick(other) {
            continue;
        }
        let (Some(watched), Some(local)) = (WATCHED.get(other.index()), cpu::local_of(other))
        else {
            continue;
        };
        let signs = watched.signs.load(Ordering::Relaxed);
        if watched.seen.swap(signs, Ordering::Relaxed) == signs {
            apic::send(local.apic_id(), Message::NonMaskable);
        }
    }
}

/// The CPU that runs this takes its timer's interrupts: it ticks, or begins to after a rest.
pub(crate) fn note_alive() {
    if let Some(watched) = WATCHED.get(cpu::current_cpu().index()) {
        // Only its own CPU writes it, with interrupts off.
        let signs = watched.signs.load(Ordering::Relaxed);
        watched.signs.store(signs + 1, Ordering::Relaxed);
        watched.since_sign.store(0, Ordering::Relaxed);
    }
}
