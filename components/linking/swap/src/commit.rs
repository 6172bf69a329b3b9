//! The moment of a swap.

use crate::build::Built;
use alloc::sync::Arc;
use loader::{Live, LiveGuard, PreparedTexts};

/// Makes the new versions live: from here on every call through a stub enters the new code.
///
/// Interrupts are off between the first store and the last exchange, and there is one CPU that runs
/// tasks, so nobody sees half of it. Nothing is allocated, logged or freed between; the lock of the
/// list of texts is taken before the first store.
///
/// Returns what was live before, to be freed afterwards.
pub(crate) fn commit(guard: &mut LiveGuard, built: &mut Built) -> Option<Arc<Live>> {
    let next = Arc::clone(&built.next);
    let mut texts = PreparedTexts::lock();
    built.slots.commit();
    texts.exchange(&mut built.texts);
    let before = guard.publish(next);
    drop(texts);
    before
}
