//! Memory that others keep at hand and can do without.

use core::sync::atomic::{AtomicBool, Ordering};
use spin::Once;

#[used]
static RECLAIM: Once<fn() -> bool> = Once::new();

/// Whether a reclaim is under way: what it frees may map memory for a moment itself.
#[used]
static UNDER_WAY: AtomicBool = AtomicBool::new(false);

/// Names what gives back memory that is kept at hand when there is no other; it answers whether it
/// gave back any. The first one counts.
pub fn register_reclaim(reclaim: fn() -> bool) {
    RECLAIM.call_once(|| reclaim);
}

/// Has memory given back; whether there was any.
pub(crate) fn reclaim() -> bool {
    let Some(reclaim) = RECLAIM.get() else {
        return false;
    };
    if UNDER_WAY.swap(true, Ordering::Acquire) {
        return false;
    }
    let gave = reclaim();
    UNDER_WAY.store(false, Ordering::Release);
    gave
}
