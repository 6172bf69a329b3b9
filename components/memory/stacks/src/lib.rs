//! Guarded stacks.
//!
//! Below each stack lie its reserve and an unmapped page. The reserve's frames are set aside from
//! the start, but not mapped, so that running over the end of the stack faults; mapping it then
//! takes no lock and no memory, so that what overflowed can be unwound even if it held the locks of
//! the memory layer or had used up all memory.
//!
//! Stacks that are given back are kept at hand for the next tasks, a few of each size; when memory is
//! short, or somebody asks ([`trim`]), they are unmapped.
//!
//! Neighbours: `mappings` below; `task` gives each task one. Left out: whose stack it is.
#![no_std]
#![forbid(unsafe_code)]

mod pool;

use component::{Handover, StartError};
use core::fmt;

use handover::VirtualRange;
use mappings::{Mapping, MappingError, PAGE_SIZE};

pub use pool::trim;

component::component! { start: start }

fn start(_: &'static Handover) -> Result<(), StartError> {
    mappings::register_reclaim(trim);
    Ok(())
}

/// Size of the reserve: what unwinding and reporting need of the stack they unwind.
const RESERVE: u64 = 4 * PAGE_SIZE;

/// A stack with a guard below it, and a reserve inside the guard for the unwinding of an overflow.
#[must_use]
#[derive(Debug)]
pub struct Stack {
    /// Reserve and stack.
    memory: Mapping,
    /// Whether the reserve is mapped.
    overflowed: bool,
}

/// Why there is no stack, or no reserve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackError {
    /// Bytes asked for.
    pub size: usize,
    /// What went wrong with them.
    pub reason: MappingError,
}

impl fmt::Display for StackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no stack of {} bytes: {}", self.size, self.reason)
    }
}

impl core::error::Error for StackError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.reason)
    }
}

impl Stack {
    /// A stack of at least `size` bytes.
    ///
    /// # Errors
    ///
    /// When there is not enough memory.
    pub fn allocate(size: usize) -> Result<Self, StackError> {
        let error = |reason| StackError { size, reason };
        let bytes = (size as u64).saturating_add(RESERVE);
        if let Some(stack) = pool::take(bytes) {
            return Ok(stack);
        }
        // The reserve is never mapped, so that no CPU has to forget it.
        let memory = Mapping::allocate_with_kept(size as u64, RESERVE).map_err(error)?;
        Ok(Self {
            memory,
            overflowed: false,
        })
    }

    /// Keeps the stack at hand for another task, if there are not enough such.
    pub fn give_back(mut self) {
        self.unmap_reserve();
        pool::put(self);
    }

    /// The memory that may be used, without guard and reserve.
    #[must_use]
    pub fn range(&self) -> VirtualRange {
        let VirtualRange { start, end } = self.memory.range();
        VirtualRange {
            start: start + RESERVE,
            end,
        }
    }

    /// Whether `address` lies in the guard: in the reserve or the unmapped page below it.
    #[must_use]
    pub fn guard_contains(&self, address: u64) -> bool {
        let start = self.memory.range().start;
        VirtualRange {
            start: start - PAGE_SIZE,
            end: start + RESERVE,
        }
        .contains(address)
    }

    /// Maps the reserve below the stack, so that what overflowed it can be unwound. Takes no lock.
    ///
    /// # Errors
    ///
    /// When it is mapped already: then the reserve has overflowed, too.
    pub fn map_reserve(&mut self) -> Result<(), StackError> {
        let reserve = self.reserve();
        self.overflowed = true;
        self.memory
            .unkeep(reserve)
            .map_err(|reason| self.reserve_error(reason))
    }

    /// Unmaps the reserve again, when nothing uses it any more. Does nothing when it is not mapped.
    pub fn unmap_reserve(&mut self) {
        if self.overflowed {
            let reserve = self.reserve();
            // The one error is that the reserve is not mapped, which is what is wanted.
            let _ = self.memory.keep(reserve);
            self.overflowed = false;
        }
    }

    fn reserve(&self) -> VirtualRange {
        let start = self.memory.range().start;
        VirtualRange {
            start,
            end: start + RESERVE,
        }
    }

    fn reserve_error(&self, reason: MappingError) -> StackError {
        StackError {
            size: self.memory.len(),
            reason,
        }
    }
}
