//! A window and the accesses through it.

use handover::{PhysicalRange, VirtualRange, layout::PAGE_SIZE};

use crate::{Caching, DeviceMemoryError, mapper};

/// A physical range that is mapped for as long as this value lives.
#[must_use]
#[derive(Debug)]
pub struct DeviceMemory {
    /// The pages.
    pages: VirtualRange,
    /// The part of them that was asked for.
    window: VirtualRange,
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for u8 {}
    impl Sealed for u16 {}
    impl Sealed for u32 {}
    impl Sealed for u64 {}
}

/// An integer that a device register can hold: any bit pattern is one.
pub trait Register: sealed::Sealed + Copy {}

impl Register for u8 {}
impl Register for u16 {}
impl Register for u32 {}
impl Register for u64 {}

impl DeviceMemory {
    /// Maps `range`, which need not be page aligned.
    pub fn map(range: PhysicalRange, caching: Caching) -> Result<Self, DeviceMemoryError> {
        if range.is_empty() {
            return Err(DeviceMemoryError::Empty { range });
        }
        let not_mapped = DeviceMemoryError::NotMapped { range };
        let pages = PhysicalRange {
            start: range.start & !(PAGE_SIZE - 1),
            end: range
                .end
                .checked_next_multiple_of(PAGE_SIZE)
                .ok_or(not_mapped)?,
        };
        let mapper = mapper().ok_or(DeviceMemoryError::NoMapper)?;
        let mapped = mapper.map(pages, caching).ok_or(not_mapped)?;
        let start = mapped.start + (range.start - pages.start);
        Ok(Self {
            pages: mapped,
            window: VirtualRange {
                start,
                end: start + range.len(),
            },
        })
    }

    /// The window's length in bytes.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "usize has 64 bits on this machine"
    )]
    pub fn len(&self) -> usize {
        self.window.len() as usize
    }

    /// Whether the window has no byte; never true.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.window.is_empty()
    }

    /// The address at which the window is mapped.
    #[must_use]
    pub fn address(&self) -> u64 {
        self.window.start
    }

    /// Reads the register at `offset`.
    pub fn read<T: Register>(&self, offset: usize) -> Result<T, DeviceMemoryError> {
        let address = self.check::<T>(offset)?;
        // SAFETY: in the window, which is mapped as long as `self`, and aligned; any bits are a T.
        Ok(unsafe { address.read_volatile() })
    }

    /// Writes the register at `offset`.
    pub fn write<T: Register>(&self, offset: usize, value: T) -> Result<(), DeviceMemoryError> {
        let address = self.check::<T>(offset)?;
        // SAFETY: in the window, which is mapped writable as long as `self`, and aligned.
        unsafe { address.write_volatile(value) };
        Ok(())
    }

    /// Copies bytes out of the window, in no particular order or size: for tables, not registers.
    pub fn copy_to(&self, offset: usize, bytes: &mut [u8]) -> Result<(), DeviceMemoryError> {
        let size = bytes.len();
        if offset.checked_add(size).is_none_or(|end| end > self.len()) {
            return Err(DeviceMemoryError::BadAccess {
                offset,
                size,
                window: self.len(),
            });
        }
        let source = self.window.start.wrapping_add(offset as u64) as *const u8;
        // SAFETY: the source lies in the window, which is mapped as long as `self`; the destination
        // is ordinary memory, which no window overlaps.
        unsafe { core::ptr::copy_nonoverlapping(source, bytes.as_mut_ptr(), size) };
        Ok(())
    }

    fn check<T>(&self, offset: usize) -> Result<*mut T, DeviceMemoryError> {
        let size = size_of::<T>();
        let address = self.window.start.wrapping_add(offset as u64);
        let inside = offset
            .checked_add(size)
            .is_some_and(|end| end <= self.len());
        if inside && address.is_multiple_of(size as u64) {
            Ok(address as *mut T)
        } else {
            Err(DeviceMemoryError::BadAccess {
                offset,
                size,
                window: self.len(),
            })
        }
    }
}

impl Drop for DeviceMemory {
    fn drop(&mut self) {
        if let Some(mapper) = mapper() {
            mapper.unmap(self.pages);
        }
    }
}
