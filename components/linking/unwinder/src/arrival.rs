//! Who wants to know that an unwinding has arrived.

use spin::Once;
use task::TaskId;

#[used]
static LISTENER: Once<fn(TaskId, u32)> = Once::new();

/// Names who is told when an unwinding of a task has arrived at its catch, and of how many functions of an
/// application, killed where it was, nothing has been dropped; the first one stays. It is called with interrupts as the catch had them, and may be called where they are off.
pub fn set_arrival_listener(listener: fn(TaskId, u32)) {
    LISTENER.call_once(|| listener);
}

pub(crate) fn tell(task: TaskId, forgotten: u32) {
    if let Some(listener) = LISTENER.get() {
        listener(task, forgotten);
    }
}
