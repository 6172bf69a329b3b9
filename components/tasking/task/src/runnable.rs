//! The right to let a task run.

use crate::{Task, policy};
use alloc::sync::Arc;
use core::{fmt, mem::ManuallyDrop, ops::Deref, ptr::NonNull};

/// A task that waits for a CPU.
///
/// There is one such value of a task while it is runnable and none while it is not, so whoever has it
/// can neither let a task run twice nor one that is blocked or has ended: a policy's wrong answer
/// can at worst be a bad choice. One that is dropped is not lost; it is put back in a queue at a tick
/// of the timer.
#[repr(transparent)]
pub struct Runnable(NonNull<Task>);

// SAFETY: the value is a reference to a task, counted like an `Arc`'s, and tasks may be shared.
unsafe impl Send for Runnable {}
// SAFETY: as above.
unsafe impl Sync for Runnable {}

impl Runnable {
    /// The right to let `task` run.
    ///
    /// # Safety
    ///
    /// The task must be in state `Runnable`, and the caller the one who has put it there or has been
    /// left to queue it, so that there is no other such value.
    #[inline]
    pub(crate) unsafe fn new(task: Arc<Task>) -> Self {
        // SAFETY: what an `Arc` leads to is never null.
        Self(unsafe { NonNull::new_unchecked(Arc::into_raw(task).cast_mut()) })
    }

    /// As [`Runnable::new`], of a reference as [`Arc::into_raw`] gives it, or [`Runnable::into_raw`].
    ///
    /// # Safety
    ///
    /// As there; the pointer must not be null, and the reference becomes this value's.
    #[inline]
    pub(crate) const unsafe fn from_raw(task: *const Task) -> Self {
        // SAFETY: the caller promises that it is not null.
        Self(unsafe { NonNull::new_unchecked(task.cast_mut()) })
    }

    /// The task, with the reference to it.
    #[inline]
    pub(crate) fn into_raw(self) -> *const Task {
        ManuallyDrop::new(self).0.as_ptr().cast_const()
    }

    #[inline]
    pub(crate) const fn as_ptr(&self) -> *const Task {
        self.0.as_ptr().cast_const()
    }
}

impl Deref for Runnable {
    type Target = Task;

    #[inline]
    fn deref(&self) -> &Task {
        // SAFETY: the value holds a reference to the task.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for Runnable {
    /// Not the way of any working policy.
    #[cold]
    #[inline(never)]
    fn drop(&mut self) {
        // SAFETY: this value is not used any more, so there is one again.
        policy::keep_stray(unsafe { Self::from_raw(self.as_ptr()) });
    }
}

impl fmt::Debug for Runnable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
