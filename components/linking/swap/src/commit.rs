//! The moment of a swap.

use crate::build::Built;
use alloc::sync::Arc;
use cpu::NotParked;
use loader::{Live, LiveGuard, PreparedTexts};

/// How long the other CPUs may take to park. On hardware that is microseconds; a CPU of a virtual
/// machine may have to wait for a CPU of its host.
const PARK_LIMIT_NS: u64 = 1_000_000_000;

/// [`PARK_LIMIT_NS`] in ticks of the time-stamp counter.
pub(crate) fn park_limit() -> u64 {
    clock::ns_to_ticks(PARK_LIMIT_NS)
}

/// Makes the new versions live: from here on every call through a stub enters the new code.
///
/// All other CPUs are parked and interrupts are off between the first store and the last exchange, so
/// nobody sees half of it. Nothing is allocated, logged or freed between; the lock of the list of texts
/// is taken before the first store, and nobody parks under it.
///
/// Returns what was live before, to be freed afterwards.
///
/// # Errors
///
/// When a CPU did not park in time; then nothing has changed.
pub(crate) fn commit(
    guard: &mut LiveGuard,
    built: &mut Built,
) -> Result<Option<Arc<Live>>, NotParked> {
    let limit = park_limit();
    let next = Arc::clone(&built.next);
    let mut texts = PreparedTexts::lock();
    cpu::rendezvous(limit, || {
        built.slots.commit();
        texts.exchange(&mut built.texts);
        guard.publish(next)
    })
}
