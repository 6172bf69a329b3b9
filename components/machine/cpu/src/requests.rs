//! What one CPU asks of another.
//!
//! A request is a bit in the other's block. Whoever sets the first one also sends an interrupt, and
//! the handler serves all that have come; code that waits with interrupts off serves them itself
//! ([`poll_requests`]), so that two CPUs that ask each other never wait for ever.

use core::sync::atomic::Ordering;

use spin::Once;

use crate::{CpuId, InterruptsOff, Local, flush, halt, local, local_of, online, rendezvous};

/// Forget translations; see `flush`.
pub(crate) const FLUSH: u32 = 1 << 0;
/// Park; see `rendezvous`.
pub(crate) const PARK: u32 = 1 << 1;
/// Stop for ever: the system has ended.
const STOP: u32 = 1 << 2;
/// Nothing but the interrupt itself, at whose end the CPU looks for a better task.
const RESCHEDULE: u32 = 1 << 3;

/// Interrupts the CPU whose interrupt controller has this number.
pub type Kick = fn(apic_id: u32);

#[used]
static KICK: Once<Kick> = Once::new();

/// Names what interrupts another CPU; the first one stays. Its handler calls [`serve_requests`].
pub fn register_kick(kick: Kick) {
    KICK.call_once(|| kick);
}

/// Asks `target` for what `requests` says.
pub(crate) fn ask(target: &Local, requests: u32) {
    // Whoever finds a bit set relies on the interrupt that its setter sends, so that is not put off.
    let _off = InterruptsOff::new();
    if target.requests.fetch_or(requests, Ordering::SeqCst) == 0
        && let Some(kick) = KICK.get()
    {
        kick(target.apic_id());
    }
}

/// Lets `cpu` look for a better task as soon as it can.
pub fn reschedule(cpu: CpuId) {
    let _off = InterruptsOff::new();
    let Some(target) = local_of(cpu) else { return };
    target.reschedule.store(true, Ordering::SeqCst);
    if cpu != local().id() {
        ask(target, RESCHEDULE);
    }
}

/// Stops all other CPUs, without waiting until they have.
pub(crate) fn stop_others() {
    let others = online::others();
    online::blocks_of(others).for_each(|target| ask(target, STOP));
}

/// Does what others ask of this CPU. For the handler of the interrupt; interrupts must be off.
pub fn serve_requests() {
    let local = local();
    if local.requests.load(Ordering::Relaxed) == 0 {
        return;
    }
    let requests = local.requests.swap(0, Ordering::SeqCst);
    if requests & STOP != 0 {
        halt();
    }
    if requests & FLUSH != 0 {
        flush::serve(local);
    }
    if requests & PARK != 0 {
        rendezvous::park(local);
    }
}

/// Does what others ask of this CPU, if it cannot be interrupted for it. For loops that wait.
#[inline]
pub fn poll_requests() {
    if !crate::interrupts_enabled() {
        serve_requests();
    }
}
