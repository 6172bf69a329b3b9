//! A moment at which one CPU runs and all others are parked.
//!
//! The CPU that wants it asks the others to park, waits until each has said that it is, does what it
//! has to do, and releases them. The rounds are numbered, and a CPU says in *which* one it has
//! parked, so that a late answer to a round that was given up counts for no other.

use core::{
    arch::asm,
    fmt,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

use crate::{CpuId, InterruptsOff, Local, alone, local, local_of, online, requests, timestamp};

/// Nobody, as an owner.
const NOBODY: u32 = u32::MAX;

/// The CPU that holds or prepares a rendezvous.
#[used]
static OWNER: AtomicU32 = AtomicU32::new(NOBODY);

/// The number of the last round that has begun, and of the last that has ended.
#[used]
static ROUND: AtomicU64 = AtomicU64::new(0);
#[used]
static RELEASED: AtomicU64 = AtomicU64::new(0);

/// A CPU did not park in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotParked {
    /// The CPU.
    pub cpu: CpuId,
}

impl fmt::Display for NotParked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} did not park in time", self.cpu)
    }
}

impl core::error::Error for NotParked {}

/// Runs `action` with interrupts off while all other CPUs are parked.
///
/// A parked CPU may have been interrupted anywhere, or wait for a lock that another parked one
/// holds: `action` must take no lock that it has not taken before, allocate nothing, log nothing and
/// not wait.
///
/// # Errors
///
/// When a CPU has not parked after `limit` ticks of the time-stamp counter, or this one holds a
/// rendezvous already; nothing has been run then.
pub fn rendezvous<R>(limit: u64, action: impl FnOnce() -> R) -> Result<R, NotParked> {
    let _off = InterruptsOff::new();
    if alone() {
        return Ok(action());
    }
    let me = local().id();
    if OWNER.load(Ordering::Relaxed) == me.0 {
        // An exception has hit this CPU in a rendezvous of its own, which is not to be had twice.
        return Err(NotParked { cpu: me });
    }
    let round = Round::begin();
    round.gather(limit)?;
    let result = action();
    drop(round);
    Ok(result)
}

/// Releases the rendezvous that this CPU holds, if it does: for whoever has skipped its drops.
pub fn leave_rendezvous() {
    let _off = InterruptsOff::new();
    if OWNER.load(Ordering::Relaxed) == local().id().0 {
        RELEASED.store(ROUND.load(Ordering::SeqCst), Ordering::SeqCst);
        OWNER.store(NOBODY, Ordering::SeqCst);
    }
}

/// Where the stack pointer of `cpu` was when it parked last.
#[must_use]
pub fn parked_stack_pointer(cpu: CpuId) -> Option<u64> {
    Some(local_of(cpu)?.parked_stack_pointer.load(Ordering::Relaxed))
}

/// Whether the CPU that runs this is parked, which only an interrupt that cannot be masked can ask.
#[must_use]
pub fn is_parked() -> bool {
    local().parked.load(Ordering::Relaxed) > RELEASED.load(Ordering::Relaxed)
}

/// A round that this CPU holds; dropping it releases the others, in a panic too.
struct Round {
    number: u64,
}

impl Round {
    fn begin() -> Self {
        let me = local().id().0;
        while OWNER
            .compare_exchange(NOBODY, me, Ordering::SeqCst, Ordering::Relaxed)
            .is_err()
        {
            // The owner waits for this CPU, too.
            requests::serve_requests();
            core::hint::spin_loop();
        }
        Self {
            number: ROUND.fetch_add(1, Ordering::SeqCst) + 1,
        }
    }

    /// Waits until all others have parked.
    fn gather(&self, limit: u64) -> Result<(), NotParked> {
        let others = online::others();
        online::blocks_of(others).for_each(|target| requests::ask(target, requests::PARK));
        let begin = timestamp();
        for target in online::blocks_of(others) {
            while target.parked.load(Ordering::Acquire) != self.number {
                // One that waits for this CPU's translations to be gone does not park before.
                requests::serve_requests();
                core::hint::spin_loop();
                if timestamp().wrapping_sub(begin) > limit {
                    return Err(NotParked { cpu: target.id() });
                }
            }
        }
        Ok(())
    }
}

impl Drop for Round {
    fn drop(&mut self) {
        RELEASED.store(self.number, Ordering::SeqCst);
        OWNER.store(NOBODY, Ordering::SeqCst);
    }
}

/// Parks this CPU until the round that is held is over; at once if there is none, or it is this CPU's.
pub(crate) fn park(local: &Local) {
    let round = ROUND.load(Ordering::SeqCst);
    if RELEASED.load(Ordering::SeqCst) >= round || OWNER.load(Ordering::SeqCst) == local.id().0 {
        return;
    }
    let stack_pointer: u64;
    // SAFETY: copying the stack pointer changes nothing.
    unsafe {
        asm!("mov {}, rsp", out(reg) stack_pointer, options(nomem, nostack, preserves_flags));
    }
    local
        .parked_stack_pointer
        .store(stack_pointer, Ordering::Relaxed);
    local.parked.store(round, Ordering::SeqCst);
    while RELEASED.load(Ordering::Acquire) < round {
        core::hint::spin_loop();
    }
}
