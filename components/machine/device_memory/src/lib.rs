//! Owned windows onto device registers and firmware tables.
//!
//! A [`DeviceMemory`] maps a physical range for as long as it lives. Registers are read and written
//! through it by volatile accesses with a bounds check, so that drivers need no `unsafe`.
//!
//! Principles: the machine layer needs windows, but page tables belong to the memory layer above
//! it; so the [`Mapper`] is a trait here, and `mappings` registers itself as one.
//!
//! Left out: which ranges are devices. Whoever maps one says so.
#![no_std]

mod error;
mod window;

use cpu::IrqMutex;
use handover::{PhysicalRange, VirtualRange};

pub use error::DeviceMemoryError;
pub use window::{DeviceMemory, Register};

/// How the CPU may cache a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caching {
    /// As ordinary memory: for tables.
    WriteBack,
    /// Not at all: for registers.
    Uncached,
}

/// What gives physical ranges addresses.
///
/// # Safety
///
/// `map` must answer with addresses at which exactly the frames asked for are mapped, readable and
/// writable, until they are passed to `unmap`.
pub unsafe trait Mapper: Sync {
    /// Maps a page-aligned range; `None` when memory or addresses ran out.
    fn map(&self, range: PhysicalRange, caching: Caching) -> Option<VirtualRange>;
    /// Unmaps what `map` answered with.
    fn unmap(&self, range: VirtualRange);
}

#[used]
static MAPPER: IrqMutex<Option<&'static dyn Mapper>> = IrqMutex::new(None);

/// Names who maps.
pub fn register(mapper: &'static dyn Mapper) {
    *MAPPER.lock() = Some(mapper);
}

fn mapper() -> Option<&'static dyn Mapper> {
    *MAPPER.lock()
}
