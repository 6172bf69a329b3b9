//! The address space: page tables and free addresses, behind one lock.

use component::{Handover, StartError};
use cpu::IrqMutex;
use frames::FrameRange;
use handover::{PhysicalRange, VirtualRange, layout};
use x86_64::structures::paging::PageTableFlags;

use crate::{
    MappingError,
    ranges::{Ranges, pages},
    table::{self, ABOVE_PAGE, Entry, Level},
    to_usize,
};

pub(crate) const PAGE: u64 = layout::PAGE_SIZE;

/// The page through which new page tables are cleared before the hardware can see them.
const SCRATCH: u64 = layout::MAPPINGS_END - PAGE;

/// An entry that keeps a frame for a page that is not mapped yet (a bit that the hardware ignores).
pub(crate) const KEPT: PageTableFlags = PageTableFlags::BIT_9;

/// An entry of a page that is about to be unmapped, with the frame that is then to be freed (a bit
/// that the hardware ignores).
const HIDDEN: PageTableFlags = PageTableFlags::BIT_10;

/// Rights of a table's entry: those of its pages decide.
const TABLE: PageTableFlags = PageTableFlags::PRESENT.union(PageTableFlags::WRITABLE);

/// Rights of ordinary memory.
pub(crate) const READ_WRITE: PageTableFlags = TABLE.union(PageTableFlags::NO_EXECUTE);

/// Where a mapping's addresses come from and go back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Area {
    /// The mapping area, with an unmapped page behind each mapping.
    Mappings,
    /// The object window.
    Objects,
    /// The heap's area.
    Heap,
    /// Addresses that whoever asked for them manages.
    Elsewhere,
}

impl Area {
    /// Which area an address belongs to.
    pub(crate) const fn of(address: u64) -> Self {
        match address {
            layout::MAPPINGS..layout::MAPPINGS_END => Self::Mappings,
            layout::OBJECTS..layout::OBJECTS_END => Self::Objects,
            layout::HEAP..layout::HEAP_END => Self::Heap,
            _ => Self::Elsewhere,
        }
    }
}

#[used]
pub(crate) static SPACE: IrqMutex<Space> = IrqMutex::new(Space {
    mappings: Ranges::new(),
    objects: Ranges::new(),
    heap: Ranges::new(),
    tables: 0,
    pages: 0,
});

pub(crate) struct Space {
    mappings: Ranges,
    objects: Ranges,
    heap: Ranges,
    tables: usize,
    pages: usize,
}

/// What the address space holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MappingStatistics {
    /// Pages mapped by this component and not unmapped yet.
    pub pages: usize,
    /// Page tables made by this component and not freed yet.
    pub page_tables: usize,
    /// Pieces into which the free addresses of the object window are cut.
    pub free_object_ranges: usize,
    /// Bytes of the object window that are free.
    pub free_object_bytes: u64,
}

/// Learns what the nucleus left, and moves the frame bitmap off the identity map.
pub(crate) fn start(handover: &'static Handover) -> Result<(), StartError> {
    let mut space = SPACE.lock();
    space.mappings.insert(VirtualRange {
        start: layout::MAPPINGS,
        end: SCRATCH - PAGE,
    });
    space.objects.insert(VirtualRange {
        start: handover.objects_end,
        end: layout::OBJECTS_END,
    });
    space.heap.insert(VirtualRange {
        start: layout::HEAP,
        end: layout::HEAP_END,
    });
    // The boot stack may lie in the mapping area; it keeps an unmapped page on each side.
    let stack = handover.boot_stack;
    space.mappings.take_at(VirtualRange {
        start: stack.start - PAGE,
        end: stack.end + PAGE,
    });
    prepare_scratch()?;
    drop(space);
    move_frame_bitmap()?;
    Ok(())
}

/// Makes the tables above the scratch page while the identity map can still clear them.
fn prepare_scratch() -> Result<(), MappingError> {
    for level in ABOVE_PAGE {
        // SAFETY: the levels above have been made present by the steps before.
        let entry = unsafe { table::read(level, SCRATCH) };
        if entry.is_present() {
            continue;
        }
        let frame = frames::allocate(1, PAGE)?.into_raw().start;
        // SAFETY: the nucleus still has usable memory mapped at its physical address, and the frame
        // is ours.
        unsafe { core::ptr::write_bytes(frame as *mut u8, 0, size_of::<[u64; 512]>()) };
        // SAFETY: the levels above are present; nothing was mapped through this entry.
        unsafe { table::write(level, SCRATCH, Entry::new(frame, TABLE)) };
    }
    Ok(())
}

fn move_frame_bitmap() -> Result<(), MappingError> {
    let Some(place) = frames::bitmap_range() else {
        return Ok(());
    };
    let range = take(Area::Mappings, place.len())?;
    crate::pages::map_physical(range, place, READ_WRITE)?;
    // SAFETY: the bitmap's frames are now mapped writable there, and nobody unmaps them.
    unsafe { frames::move_bitmap(range.start) };
    Ok(())
}

/// Takes addresses.
pub(crate) fn take(area: Area, bytes: u64) -> Result<VirtualRange, MappingError> {
    let wanted = bytes
        .checked_next_multiple_of(PAGE)
        .filter(|bytes| *bytes > 0 && *bytes < layout::MAPPINGS_END - layout::MAPPINGS)
        .ok_or(MappingError::NoAddresses { bytes })?;
    let mut space = SPACE.lock();
    let taken = match area {
        Area::Mappings => space.mappings.take(wanted + PAGE),
        Area::Objects => space.objects.take(wanted),
        Area::Heap => space.heap.take(wanted),
        Area::Elsewhere => None,
    };
    let start = taken.ok_or(MappingError::NoAddresses { bytes })?.start;
    Ok(VirtualRange {
        start,
        end: start + wanted,
    })
}

/// Gives addresses back.
pub(crate) fn give_back(area: Area, range: VirtualRange) {
    let mut space = SPACE.lock();
    // If there are no frames for a longer list, it may still have slots; if it has none, the addresses
    // are lost, and nothing else.
    let _ = space.make_room();
    match area {
        Area::Mappings => {
            let with_gap = VirtualRange {
                start: range.start,
                end: range.end + PAGE,
            };
            space.mappings.insert(with_gap);
        }
        Area::Objects => {
            space.objects.insert(range);
        }
        Area::Heap => {
            space.heap.insert(range);
        }
        Area::Elsewhere => {}
    }
}

/// What the address space holds.
#[must_use]
pub fn statistics() -> MappingStatistics {
    let space = SPACE.lock();
    MappingStatistics {
        pages: space.pages,
        page_tables: space.tables,
        free_object_ranges: space.objects.as_slice().len(),
        free_object_bytes: space.objects.as_slice().iter().map(VirtualRange::len).sum(),
    }
}

impl Space {
    pub(crate) fn map_page(&mut self, page: u64, entry: Entry) -> Result<(), MappingError> {
        for level in ABOVE_PAGE {
            // SAFETY: the levels above are present by the steps before, and none is large: the
            // areas above the identity map are made of small pages only.
            let upper = unsafe { table::read(level, page) };
            if !upper.is_present() {
                self.add_table(level, page)?;
            }
        }
        // SAFETY: all levels above are present now.
        let old = unsafe { table::read(Level::Page, page) };
        if !old.is_none() {
            return Err(MappingError::AlreadyMapped { address: page });
        }
        // SAFETY: nothing was mapped there, so no live value is touched.
        unsafe { table::write(Level::Page, page, entry) };
        table::forget(page);
        self.pages += 1;
        Ok(())
    }

    fn add_table(&mut self, level: Level, page: u64) -> Result<(), MappingError> {
        let frame = frames::allocate(1, PAGE)?;
        clear(&frame);
        let entry = Entry::new(frame.into_raw().start, TABLE);
        // SAFETY: the levels above are present; the entry was not, so nothing was mapped through it.
        unsafe { table::write(level, page, entry) };
        if let Some(below) = level.below() {
            table::forget(below.table_address(page));
        }
        self.tables += 1;
        Ok(())
    }

    /// Takes the page from under all accesses, but keeps its frame in its entry. The CPUs still have
    /// to forget it.
    pub(crate) fn hide_page(&mut self, page: u64) {
        let (level, entry) = table::walk(page);
        if level == Level::Page && entry.is_present() {
            // SAFETY: the walk came down to the page's entry, and its owner gives the page up.
            unsafe { table::write(Level::Page, page, Entry::new(entry.frame(), HIDDEN)) };
        }
    }

    /// Answers with the frame that the page's entry named.
    pub(crate) fn unmap_page(&mut self, page: u64) -> Option<u64> {
        let (level, entry) = table::walk(page);
        if level != Level::Page || entry.is_none() {
            return None;
        }
        // SAFETY: the walk came down to the page's entry, and its owner gives the page up.
        unsafe { table::write(Level::Page, page, Entry::NONE) };
        table::forget(page);
        self.pages = self.pages.saturating_sub(1);
        Some(entry.frame())
    }

    /// Frees the table of pages that serves `page`, and those above it, if they are empty.
    pub(crate) fn free_empty_tables(&mut self, page: u64) {
        for level in [Level::Page, Level::Directory, Level::Pointers] {
            let (reached, _) = table::walk(page);
            // A walk that ends at the level just freed from, or below, has present tables above.
            if reached > level {
                return;
            }
            // SAFETY: the walk reached this level, so its table is present.
            if !unsafe { table::is_empty(level, page) } {
                return;
            }
            self.remove_table(level, page);
        }
    }

    fn remove_table(&mut self, level: Level, page: u64) {
        let above = level.above();
        // SAFETY: the table is present, so its entry in the one above is readable.
        let entry = unsafe { table::read(above, page) };
        // SAFETY: the table has no entries, so nothing is mapped through it.
        unsafe { table::write(above, page, Entry::NONE) };
        table::forget(page);
        table::forget(level.table_address(page));
        if !cpu::alone() {
            // Another table may take this one's place, where all CPUs look at it, as soon as the lock
            // is released; so they forget it before. Who waits for the lock serves the request.
            let start = level.table_address(page);
            cpu::flush_everywhere(VirtualRange {
                start,
                end: start + PAGE,
            });
        }
        self.tables = self.tables.saturating_sub(1);
        let start = entry.frame();
        // SAFETY: the frame was taken for this table, which no entry names any more.
        drop(unsafe {
            FrameRange::from_raw(PhysicalRange {
                start,
                end: start + PAGE,
            })
        });
    }

    /// Sees to it that the lists of free addresses can take a few more ranges.
    fn make_room(&mut self) -> Result<(), MappingError> {
        if let Some(count) = self.mappings.wants_storage() {
            let slots = self.new_storage(count)?;
            let old = self.mappings.bring_storage(slots);
            self.free_storage(old);
        }
        if let Some(count) = self.objects.wants_storage() {
            let slots = self.new_storage(count)?;
            let old = self.objects.bring_storage(slots);
            self.free_storage(old);
        }
        if let Some(count) = self.heap.wants_storage() {
            let slots = self.new_storage(count)?;
            let old = self.heap.bring_storage(slots);
            self.free_storage(old);
        }
        Ok(())
    }

    fn new_storage(&mut self, count: usize) -> Result<&'static mut [VirtualRange], MappingError> {
        let bytes = (count * size_of::<VirtualRange>()) as u64;
        let bytes = bytes.next_multiple_of(PAGE);
        // Taking from the start of a free range never makes the list longer.
        let taken = self
            .mappings
            .take(bytes)
            .ok_or(MappingError::NoAddresses { bytes })?;
        for page in pages(taken) {
            let frame = frames::allocate(1, PAGE)?;
            clear(&frame);
            self.map_page(page, Entry::new(frame.into_raw().start, READ_WRITE))?;
        }
        let count = to_usize(bytes) / size_of::<VirtualRange>();
        // SAFETY: the pages were just mapped writable for this alone, and zeroes are ranges.
        Ok(unsafe { core::slice::from_raw_parts_mut(taken.start as *mut VirtualRange, count) })
    }

    fn free_storage(&mut self, old: Option<&'static mut [VirtualRange]>) {
        let Some(old) = old else { return };
        let bounds = old.as_ptr_range();
        let range = VirtualRange {
            start: bounds.start.addr() as u64,
            end: bounds.end.addr() as u64,
        };
        if !cpu::alone() {
            pages(range).for_each(|page| self.hide_page(page));
            cpu::flush_everywhere(range);
        }
        for page in pages(range) {
            if let Some(start) = self.unmap_page(page) {
                // SAFETY: the frame was taken for the storage that has just been unmapped.
                drop(unsafe {
                    FrameRange::from_raw(PhysicalRange {
                        start,
                        end: start + PAGE,
                    })
                });
            }
        }
        self.mappings.insert(range);
    }
}

/// Clears a frame through the scratch page. Only with the space's lock held.
fn clear(frame: &FrameRange) {
    // SAFETY: the tables above the scratch page are present since the start.
    unsafe { table::write(Level::Page, SCRATCH, Entry::new(frame.start(), READ_WRITE)) };
    table::forget(SCRATCH);
    // SAFETY: the page is mapped writable now, to a frame that is not in use.
    unsafe { core::ptr::write_bytes(SCRATCH as *mut u8, 0, size_of::<[u64; 512]>()) };
}
