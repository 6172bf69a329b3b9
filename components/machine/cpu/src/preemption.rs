//! Preemption as a guard.

use core::{arch::asm, marker::PhantomData};

use crate::local::{PREEMPTION_OFFSET, nothing_forbids_preemption};

/// While this value lives, the running task is not preempted, and so stays on its CPU.
#[must_use]
#[derive(Debug)]
pub struct PreemptionGuard {
    /// A guard belongs to the task that made it.
    not_send: PhantomData<*mut ()>,
}

impl PreemptionGuard {
    /// Disables preemption.
    #[inline]
    pub fn new() -> Self {
        // One instruction, so that the count changed is that of the CPU that runs it.
        // SAFETY: GS points to this CPU's block, and the offset is that of a 32-bit counter in it.
        unsafe {
            asm!("add dword ptr gs:[{}], 1", const PREEMPTION_OFFSET, options(nostack));
        }
        Self {
            not_send: PhantomData,
        }
    }
}

impl Default for PreemptionGuard {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for PreemptionGuard {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: as in `new`, which added what is taken away here.
        unsafe {
            asm!("sub dword ptr gs:[{}], 1", const PREEMPTION_OFFSET, options(nostack));
        }
    }
}

/// Whether the running task may be preempted: no guard and no interrupt handler is active.
#[must_use]
#[inline]
pub fn preemption_enabled() -> bool {
    nothing_forbids_preemption()
}
