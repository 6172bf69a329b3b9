//! Guarded stacks that grow on demand.
//!
//! A stack owns its addresses from the start, and of its memory the last pages; each other page gets a
//! frame when it is first touched ([`grow`], for the page fault). Below each stack lie its reserve and an
//! unmapped page. The reserve is no part of what grows, so that running over the end of the stack
//! faults; mapping it then takes no lock, and its frames are ones that each CPU has at hand, so that what
//! overflowed can be unwound even if it held the locks of the memory layer or had used up all memory.
//!
//! Stacks that are given back are kept at hand for the next tasks, a few of each size, with the memory
//! that they have; when memory is short, or somebody asks ([`trim`]), they are unmapped.
//!
//! Neighbours: `mappings` below; `task` gives each task one, and says whose a page is. Left out: whose
//! stack it is; giving memory back while a stack is in use.
#![no_std]
#![forbid(unsafe_code)]

mod pool;

use component::{Handover, StartError};
use core::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use handover::VirtualRange;
use interrupts::StackNeed;
use mappings::{Mapping, MappingError, PAGE_SIZE};

pub use mappings::is_mapped;
pub use pool::trim;

component::component! { start: start }

fn start(_: &'static Handover) -> Result<(), StartError> {
    mappings::register_reclaim(trim);
    Ok(())
}

/// Size of the reserve: what unwinding and reporting need of the stack they unwind.
const RESERVE: u64 = 4 * PAGE_SIZE;

/// What a stack has from the start: enough for a task that does little and then waits.
const MAPPED: u64 = 2 * PAGE_SIZE;

/// A stack with a guard below it, and a reserve inside the guard for the unwinding of an overflow.
#[must_use]
#[derive(Debug)]
pub struct Stack {
    /// Reserve and stack.
    memory: Mapping,
    /// How many bytes at its end have been mapped from the start.
    mapped: u64,
    /// Whether the reserve is mapped.
    overflowed: bool,
    _promise: Promise,
}

/// How much longer all stacks together may be than there is memory. Those of tasks that do little can be
/// many; but page tables are made for all of a stack, and what is promised should have a bound.
const OVERCOMMIT: u64 = 16;

/// Bytes of all stacks.
#[used]
static PROMISED: AtomicU64 = AtomicU64::new(0);

/// A stack's part of what all stacks may be promised.
#[derive(Debug)]
struct Promise(u64);

impl Promise {
    fn new(bytes: u64) -> Result<Self, StackProblem> {
        let total = frames::statistics().total as u64;
        let most = total.saturating_mul(PAGE_SIZE * OVERCOMMIT);
        let add = |promised: u64| promised.checked_add(bytes).filter(|sum| *sum <= most);
        PROMISED
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add)
            .map(|_| Self(bytes))
            .map_err(|_| StackProblem::Promised { most })
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        PROMISED.fetch_sub(self.0, Ordering::Relaxed);
    }
}

/// Sees to it that the page of `address` is mapped, for `need`; whether it is. The address must lie in a
/// stack that stays meanwhile. Interrupts must be off; no lock is waited for that this CPU may hold.
#[must_use]
pub fn grow(address: u64, need: StackNeed) -> bool {
    mappings::commit(address, || match need {
        StackNeed::Preemptible => frames::take_in_exception(true),
        StackNeed::Anywhere => frames::take_in_exception(false),
        StackNeed::Ending => frames::take_last_resort(),
    })
}

/// Why there is no stack, or no reserve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackError {
    /// Bytes asked for.
    pub size: usize,
    /// What went wrong with them.
    pub reason: StackProblem,
}

/// What is wrong with a stack that cannot be made or extended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StackProblem {
    /// There is no memory for what it has from the start, or never for all of it.
    Memory(MappingError),
    /// All stacks together would be promised too much of the memory.
    Promised {
        /// Bytes that can be promised in all.
        most: u64,
    },
    /// What lies at this address cannot be mapped.
    NotMapped {
        /// The address.
        address: u64,
    },
}

impl fmt::Display for StackProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(error) => error.fmt(f),
            Self::Promised { most } => {
                write!(f, "all stacks together would be longer than {most} bytes")
            }
            Self::NotMapped { address } => write!(f, "{address:#x} cannot be mapped"),
        }
    }
}

impl fmt::Display for StackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no stack of {} bytes: {}", self.size, self.reason)
    }
}

impl core::error::Error for StackError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match &self.reason {
            StackProblem::Memory(error) => Some(error),
            _ => None,
        }
    }
}

impl Stack {
    /// A stack of at least `size` bytes, which grows on demand.
    ///
    /// # Errors
    ///
    /// When there is not enough memory: for what it has from the start, or to ever fill it.
    pub fn allocate(size: usize) -> Result<Self, StackError> {
        Self::with_mapped(size, MAPPED.min(size as u64))
    }

    /// A stack of at least `size` bytes that has all its memory from the start, for a CPU that has no tasks
    /// yet, or whose last resort it is.
    ///
    /// # Errors
    ///
    /// When there is not enough memory.
    pub fn allocate_mapped(size: usize) -> Result<Self, StackError> {
        Self::with_mapped(size, size as u64)
    }

    fn with_mapped(size: usize, mapped: u64) -> Result<Self, StackError> {
        let error = |reason| StackError {
            size,
            reason: StackProblem::Memory(reason),
        };
        let bytes = (size as u64).saturating_add(RESERVE);
        let mapped = mapped.saturating_add(PAGE_SIZE - 1) & !(PAGE_SIZE - 1);
        if mapped < size as u64
            && let Some(stack) = pool::take(bytes)
        {
            return Ok(stack);
        }
        let promise = Promise::new(bytes).map_err(|reason| StackError { size, reason })?;
        let memory = Mapping::allocate_on_demand(bytes, mapped).map_err(error)?;
        Ok(Self {
            memory,
            mapped,
            overflowed: false,
            _promise: promise,
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

    /// The address from which on all of it is mapped from the start.
    #[must_use]
    #[inline]
    pub fn mapped_from(&self) -> u64 {
        let range = self.range();
        range.end.saturating_sub(self.mapped).max(range.start)
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

    /// Maps what unwinding needs down from the page of `address`: of the stack, and of the reserve below it
    /// if the stack is too short for that or does not have the address. Waits for no lock that this CPU may hold. Interrupts must be off.
    ///
    /// # Errors
    ///
    /// When the reserve is mapped already: then it has overflowed, too. When not even the frames that are
    /// kept for this are left.
    pub fn map_reserve(&mut self, address: u64) -> Result<(), StackError> {
        let reserve = self.reserve();
        let end = if self.range().contains(address) {
            (address | (PAGE_SIZE - 1)) + 1
        } else {
            reserve.end
        };
        let mut page = end - RESERVE;
        if page < reserve.end {
            if self.overflowed {
                return Err(self.no_memory_at(address));
            }
            self.overflowed = true;
            page = reserve.start;
        }
        while page < end {
            if !grow(page, StackNeed::Ending) {
                return Err(self.no_memory_at(page));
            }
            page += PAGE_SIZE;
        }
        Ok(())
    }

    /// Unmaps the reserve again, when nothing uses it any more. Does nothing when it is not mapped.
    pub fn unmap_reserve(&mut self) {
        if self.overflowed {
            let reserve = self.reserve();
            // The one error is that the range is not part of the mapping.
            let _ = self.memory.decommit(reserve);
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

    fn no_memory_at(&self, address: u64) -> StackError {
        StackError {
            size: self.memory.len(),
            reason: StackProblem::NotMapped { address },
        }
    }
}
