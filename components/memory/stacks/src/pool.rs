//! Stacks that nobody uses, for the next tasks.

use crate::Stack;
use cpu::IrqMutex;

/// Stacks that are kept.
const KEPT: usize = 8;

/// The largest that is kept, in bytes, reserve included.
const LARGEST: usize = 256 * 1024;

#[used]
static POOL: IrqMutex<[Option<Stack>; KEPT]> = IrqMutex::new([const { None }; KEPT]);

/// A stack with this many bytes, reserve included.
pub(crate) fn take(bytes: u64) -> Option<Stack> {
    let bytes = usize::try_from(bytes).ok()?;
    let fits = |place: &&mut Option<Stack>| {
        let stack = place.as_ref();
        stack.is_some_and(|stack| stack.memory.len() == bytes)
    };
    POOL.lock().iter_mut().find(fits)?.take()
}

/// Keeps a stack, or unmaps it when there are enough.
pub(crate) fn put(stack: Stack) {
    let mut surplus = Some(stack);
    if surplus
        .as_ref()
        .is_some_and(|stack| stack.memory.len() <= LARGEST)
    {
        let mut pool = POOL.lock();
        if let Some(place) = pool.iter_mut().find(|place| place.is_none()) {
            core::mem::swap(place, &mut surplus);
        }
    }
    drop(surplus); // Not under the lock: unmapping takes locks of its own.
}

/// Unmaps the stacks that are kept; whether there was one.
pub fn trim() -> bool {
    let kept = core::mem::replace(&mut *POOL.lock(), [const { None }; KEPT]);
    kept.into_iter().flatten().count() > 0
}
