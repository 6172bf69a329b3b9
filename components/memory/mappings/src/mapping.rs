//! A mapping as a value.

use handover::{PhysicalRange, VirtualRange, layout};
use x86_64::structures::paging::PageTableFlags;

use crate::{
    MappingError,
    pages::{self, Frames},
    reclaim,
    space::{self, Area},
    to_usize,
};

/// What may be done with mapped memory. Nothing is ever writable and executable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Read and written.
    ReadWrite,
    /// Read only.
    Read,
    /// Read and executed.
    ReadExecute,
}

impl Protection {
    const fn flags(self) -> PageTableFlags {
        let present = PageTableFlags::PRESENT;
        match self {
            Self::ReadWrite => space::READ_WRITE,
            Self::Read => present.union(PageTableFlags::NO_EXECUTE),
            Self::ReadExecute => present,
        }
    }

    fn of(flags: PageTableFlags) -> Self {
        if flags.contains(PageTableFlags::WRITABLE) {
            Self::ReadWrite
        } else if flags.contains(PageTableFlags::NO_EXECUTE) {
            Self::Read
        } else {
            Self::ReadExecute
        }
    }
}

/// End of the lower half of the address space.
const LOWER_HALF_END: u64 = 1 << 47;

/// Pages that this value owns: dropping it unmaps them and, unless it is an alias, frees their
/// frames. Possessing one proves that its addresses are mapped with its protection.
#[must_use]
#[derive(Debug)]
pub struct Mapping {
    range: VirtualRange,
    protection: Protection,
    area: Area,
    frames: Frames,
}

impl Mapping {
    /// Maps zeroed memory in the mapping area, at least `bytes` long, with unmapped pages around.
    pub fn allocate(bytes: u64, protection: Protection) -> Result<Self, MappingError> {
        Self::fresh(Area::Mappings, bytes)?.protected(protection)
    }

    /// Maps memory, readable and writable, in the mapping area, at least `bytes` long, with unmapped
    /// pages around. It holds whatever was in its frames before: for who writes it before reading it.
    pub fn allocate_uncleared(bytes: u64) -> Result<Self, MappingError> {
        Self::uncleared(Area::Mappings, bytes)
    }

    /// Maps zeroed memory, readable and writable, in the object window, at least `bytes` long.
    pub fn allocate_object(bytes: u64) -> Result<Self, MappingError> {
        Self::fresh(Area::Objects, bytes)
    }

    /// Maps memory, readable and writable, in the heap's area, at least `bytes` long. It holds
    /// whatever was in its frames before.
    pub fn allocate_heap(bytes: u64) -> Result<Self, MappingError> {
        Self::uncleared(Area::Heap, bytes)
    }

    /// Takes addresses in the mapping area for at least `bytes` bytes of readable and writable memory, with
    /// unmapped pages around. Only the last `mapped` bytes are mapped from the start; each other page
    /// is when [`commit`](crate::commit) is asked for it, and until then an access to it faults, also through
    /// [`Mapping::as_slice`]. The memory holds whatever was in its frames before.
    pub fn allocate_on_demand(bytes: u64, mapped: u64) -> Result<Self, MappingError> {
        let range = space::take(Area::Mappings, bytes)?;
        let mapped = mapped.next_multiple_of(layout::PAGE_SIZE).min(range.len());
        let (rest, mapped) = split(range, range.len() - mapped);
        let map = || {
            pages::map_on_demand(rest)?;
            pages::map_new(mapped, space::READ_WRITE)
                .inspect_err(|_| pages::unmap(rest, Frames::Free))
        };
        Self::mapped(Area::Mappings, range, map)
    }

    /// Maps `frames`, that somebody else owns, at their own physical addresses, for code that turns
    /// paging on. Page aligned, and in the lower half of the address space, where nothing else is.
    ///
    /// # Safety
    ///
    /// What is done with the frames through the mapping must be what their owner can bear.
    pub unsafe fn identity(
        frames: PhysicalRange,
        protection: Protection,
    ) -> Result<Self, MappingError> {
        let PhysicalRange { start, end } = frames;
        let range = VirtualRange { start, end };
        let aligned = (start | end).is_multiple_of(layout::PAGE_SIZE);
        if !aligned || range.is_empty() || end > LOWER_HALF_END {
            return Err(MappingError::BadRange { range });
        }
        pages::map_physical(range, frames, protection.flags())?;
        Ok(Self {
            range,
            protection,
            area: Area::Elsewhere,
            frames: Frames::Keep,
        })
    }

    /// Maps zeroed memory at `range`, which must be page aligned and free.
    pub fn allocate_at(range: VirtualRange, protection: Protection) -> Result<Self, MappingError> {
        let aligned = (range.start | range.end).is_multiple_of(layout::PAGE_SIZE);
        let managed = Area::of(range.start) != Area::Elsewhere
            || Area::of(range.end.saturating_sub(1)) != Area::Elsewhere;
        if !aligned || managed || range.is_empty() || range.start < layout::MAPPINGS {
            return Err(MappingError::BadRange { range });
        }
        pages::map_new(range, space::READ_WRITE)?;
        clear(range);
        let mapping = Self {
            range,
            protection: Protection::ReadWrite,
            area: Area::Elsewhere,
            frames: Frames::Free,
        };
        mapping.protected(protection)
    }

    /// Takes pages that are mapped at `range` into the care of a value: what the nucleus mapped, or
    /// what [`Mapping::leak`] gave away.
    ///
    /// # Safety
    ///
    /// The range must be mapped by small pages with `protection`, their frames must be used for
    /// nothing else, and nobody else may own them.
    pub unsafe fn adopt(range: VirtualRange, protection: Protection) -> Result<Self, MappingError> {
        let address = range.start;
        if range.is_empty() || !(range.start | range.end).is_multiple_of(layout::PAGE_SIZE) {
            return Err(MappingError::BadRange { range });
        }
        let flags = pages::flags_of(address).ok_or(MappingError::NotMapped { address })?;
        if Protection::of(flags) != protection {
            return Err(MappingError::BadRange { range });
        }
        Ok(Self {
            range,
            protection,
            area: Area::of(address),
            frames: Frames::Free,
        })
    }

    /// Maps the pages of `target` a second time, in the mapping area, for as long as the value
    /// lives. The frames stay with their owner.
    ///
    /// # Safety
    ///
    /// `target` must stay mapped while the alias lives, and what is written through the alias must
    /// be what the readers of `target` can bear.
    pub unsafe fn alias(
        target: VirtualRange,
        protection: Protection,
    ) -> Result<Self, MappingError> {
        let range = space::take(Area::Mappings, target.len())?;
        if let Err(error) = pages::map_alias(range, target, protection.flags()) {
            space::give_back(Area::Mappings, range);
            return Err(error);
        }
        Ok(Self {
            range,
            protection,
            area: Area::Mappings,
            frames: Frames::Keep,
        })
    }

    /// Changes what may be done with the memory.
    ///
    /// References into the mapping that were made by raw pointers must bear the change.
    pub fn protect(&mut self, protection: Protection) -> Result<(), MappingError> {
        pages::protect(self.range, protection.flags())?;
        self.protection = protection;
        Ok(())
    }

    /// The addresses.
    #[must_use]
    pub fn range(&self) -> VirtualRange {
        self.range
    }

    /// The first address.
    #[must_use]
    pub fn start(&self) -> u64 {
        self.range.start
    }

    /// How many bytes: a multiple of the page size.
    #[must_use]
    pub fn len(&self) -> usize {
        to_usize(self.range.len())
    }

    /// Whether there is no byte; never true.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    /// What may be done with the memory.
    #[must_use]
    pub fn protection(&self) -> Protection {
        self.protection
    }

    /// The bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        // SAFETY: the value proves that the pages are mapped; they were initialised by `fresh` or by
        // the nucleus, and who else writes them (through an alias, or as statics) answers for it.
        unsafe { core::slice::from_raw_parts(self.range.start as *const u8, self.len()) }
    }

    /// The bytes, to be written; an error when they are not writable.
    pub fn as_mut_slice(&mut self) -> Result<&mut [u8], MappingError> {
        if self.protection != Protection::ReadWrite {
            return Err(MappingError::NotWritable { range: self.range });
        }
        // SAFETY: the pages are mapped writable and owned by this value, which is borrowed; for an
        // alias, its maker answers.
        Ok(unsafe { core::slice::from_raw_parts_mut(self.range.start as *mut u8, self.len()) })
    }

    /// Keeps the pages mapped for ever.
    pub fn leak(self) -> VirtualRange {
        let range = self.range;
        core::mem::forget(self);
        range
    }

    /// Takes the frames from behind `part`, a number of whole pages, which are then as those that
    /// [`Mapping::allocate_on_demand`] has not mapped.
    pub fn decommit(&mut self, part: VirtualRange) -> Result<(), MappingError> {
        self.check_part(part)?;
        pages::decommit(part);
        Ok(())
    }

    fn check_part(&self, part: VirtualRange) -> Result<(), MappingError> {
        let aligned = (part.start | part.end).is_multiple_of(layout::PAGE_SIZE);
        if aligned && self.range.start <= part.start && part.end <= self.range.end {
            Ok(())
        } else {
            Err(MappingError::BadRange { range: part })
        }
    }

    fn fresh(area: Area, bytes: u64) -> Result<Self, MappingError> {
        let mapping = Self::uncleared(area, bytes)?;
        clear(mapping.range);
        Ok(mapping)
    }

    fn uncleared(area: Area, bytes: u64) -> Result<Self, MappingError> {
        let range = space::take(area, bytes)?;
        Self::mapped(area, range, || pages::map_new(range, space::READ_WRITE))
    }

    /// The value of a range that has just been taken from `area` and is mapped by `map`.
    fn mapped(
        area: Area,
        range: VirtualRange,
        map: impl Fn() -> Result<(), MappingError>,
    ) -> Result<Self, MappingError> {
        let mut mapped = map();
        if mapped.is_err() && reclaim::reclaim() {
            mapped = map();
        }
        if let Err(error) = mapped {
            space::give_back(area, range);
            return Err(error);
        }
        Ok(Self {
            range,
            protection: Protection::ReadWrite,
            area,
            frames: Frames::Free,
        })
    }

    fn protected(mut self, protection: Protection) -> Result<Self, MappingError> {
        if protection != self.protection {
            self.protect(protection)?;
        }
        Ok(self)
    }
}

/// Clears pages that have just been mapped, writable, for nobody else.
fn clear(range: VirtualRange) {
    // SAFETY: each caller has just mapped the range so, and has not told anybody.
    unsafe { core::ptr::write_bytes(range.start as *mut u8, 0, to_usize(range.len())) };
}

/// The first `bytes` of a range, and the rest.
fn split(range: VirtualRange, bytes: u64) -> (VirtualRange, VirtualRange) {
    let middle = range.start + bytes;
    let first = VirtualRange {
        end: middle,
        ..range
    };
    let rest = VirtualRange {
        start: middle,
        ..range
    };
    (first, rest)
}

impl Drop for Mapping {
    fn drop(&mut self) {
        pages::release(self.area, self.range, self.frames);
    }
}
