//! Guarded stacks.
#![no_std]
#![forbid(unsafe_code)]

use core::fmt;
use handover::VirtualRange;

/// A stack with a guard below it, and a reserve inside the guard for the unwinding of an overflow.
#[derive(Debug)]
pub struct Stack {
    range: VirtualRange,
}

/// Why there is no stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackError {
    /// Bytes asked for.
    pub size: usize,
}

impl fmt::Display for StackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no memory for a stack of {} bytes", self.size)
    }
}

impl core::error::Error for StackError {}

impl Stack {
    /// A stack of at least `size` bytes.
    ///
    /// # Errors
    ///
    /// When there is not enough memory.
    pub fn allocate(size: usize) -> Result<Self, StackError> {
        Err(StackError { size })
    }

    /// The memory that may be used, without guard and reserve.
    #[must_use]
    pub const fn range(&self) -> VirtualRange {
        self.range
    }

    /// Whether `address` lies in the guard.
    #[must_use]
    pub const fn guard_contains(&self, address: u64) -> bool {
        let _ = address;
        false
    }

    /// Maps the reserve below the stack, so that what overflowed it can be unwound.
    ///
    /// # Errors
    ///
    /// When it is mapped already or there is not enough memory.
    pub fn map_reserve(&mut self) -> Result<(), StackError> {
        Err(StackError { size: 0 })
    }

    /// Unmaps the reserve again, when nothing uses it any more.
    pub fn unmap_reserve(&mut self) {}
}
