//! The address space: page tables and free addresses, behind one lock.

use component::{Handover, StartError};
use cpu::IrqMutex;
use frames::FrameRange;
use handover::{PhysicalRange, VirtualRange, layout};
use x86_64::structures::paging::PageTableFlags;

use crate::{
    MappingError,
    pages::Frames,
    ranges::{Ranges, one_page, one_table, pages, tables},
    table::{self, ABOVE_PAGE, Entry, Level, ON_DEMAND, Place},
    to_usize,
};

pub(crate) const PAGE: u64 = layout::PAGE_SIZE;

/// The page through which new page tables are cleared before the hardware can see them.
const SCRATCH: u64 = layout::MAPPINGS_END - PAGE;

/// The page through which read-only pages are written for a moment (see `window`); under the same
/// page table, which is always there.
pub(crate) const WINDOW: u64 = SCRATCH - 2 * PAGE;

/// An entry of a page that is about to be unmapped, with the frame that is then to be freed, if it has one
/// (a bit that the hardware ignores).
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

    /// Bytes behind each range that stay unmapped.
    const fn gap(self) -> u64 {
        match self {
            Self::Mappings => PAGE,
            _ => 0,
        }
    }
}

/// No table is known. Not 0, which is an address (the code with which further CPUs begin lies in the range
/// of its table): no CPU translates this one.
const UNKNOWN: u64 = 1 << 63;

#[used]
pub(crate) static SPACE: IrqMutex<Space> = IrqMutex::new(Space {
    mappings: Ranges::new(),
    objects: Ranges::new(),
    heap: Ranges::new(),
    tables: 0,
    pages: 0,
    known: UNKNOWN,
});

pub(crate) struct Space {
    mappings: Ranges,
    objects: Ranges,
    heap: Ranges,
    tables: usize,
    pages: usize,
    /// An address whose page table is known to be present, which spares the walk to its neighbours;
    /// or [`UNKNOWN`].
    known: u64,
}

/// What the address space holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MappingStatistics {
    /// Pages mapped by this component and not unmapped yet, those included that wait for a frame.
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
        end: WINDOW - PAGE,
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
    count_all_entries();
    // The scratch page's entry comes and goes, but its tables stay.
    change_used(Level::Page, SCRATCH, |used| used + 1);
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
    let free = space.free_addresses(area);
    let taken = free.and_then(|free| free.take(wanted + area.gap()));
    let start = taken.ok_or(MappingError::NoAddresses { bytes })?.start;
    Ok(VirtualRange {
        start,
        end: start + wanted,
    })
}

/// Gives addresses back.
pub(crate) fn give_back(area: Area, range: VirtualRange) {
    SPACE.lock().give_back(area, range);
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
    /// Maps the frames from `frame` on at `part`, which one page table serves; with `ON_DEMAND` none.
    /// On failure nothing is mapped.
    pub(crate) fn map(
        &mut self,
        part: VirtualRange,
        frame: u64,
        flags: PageTableFlags,
    ) -> Result<(), MappingError> {
        if !self.knows_table_of(part.start) {
            if let Err(error) = self.add_tables(part.start) {
                self.free_empty_tables(part.start);
                return Err(error);
            }
            self.known = part.start;
        }
        // SAFETY: all tables above are present now, and stay while the space is locked.
        let places = unsafe { table::places(part) };
        if let Some(index) = places.iter().position(|place| !place.get().is_none()) {
            let address = part.start + index as u64 * PAGE;
            return Err(MappingError::AlreadyMapped { address });
        }
        let mut entry = Entry::new(frame, flags);
        for place in places {
            // SAFETY: nothing was mapped there, so no live value is touched. No CPU remembers that a
            // page is not mapped (Intel SDM volume 3, section 4.10.2.3), so none has to forget it.
            unsafe { place.set(entry) };
            entry = entry.next_frame();
        }
        self.pages += places.len();
        change_used(Level::Page, part.start, |used| used + places.len() as u64);
        Ok(())
    }

    fn knows_table_of(&self, page: u64) -> bool {
        one_table(self.known, page)
    }

    fn add_tables(&mut self, page: u64) -> Result<(), MappingError> {
        for level in ABOVE_PAGE {
            // SAFETY: the levels above are present by the steps before, and none is large: the
            // areas above the identity map are made of small pages only.
            let upper = unsafe { table::read(level, page) };
            if !upper.is_present() {
                self.add_table(level, page)?;
            }
        }
        Ok(())
    }

    fn add_table(&mut self, level: Level, page: u64) -> Result<(), MappingError> {
        let frame = frames::allocate(1, PAGE)?;
        clear(&frame);
        let entry = Entry::new(frame.into_raw().start, TABLE);
        // SAFETY: the levels above are present; the entry was not, so nothing was mapped through it.
        unsafe { table::write(level, page, entry) };
        change_used(level, page, |used| used + 1);
        self.tables += 1;
        Ok(())
    }

    /// The entries for the pages of `part`, which one page table serves; none if there is no such table.
    fn places<'a>(&self, part: VirtualRange) -> &'a [Place] {
        if self.knows_table_of(part.start) || table::walk(part.start).0 == Level::Page {
            // SAFETY: the page table is present, and stays while the space is locked.
            unsafe { table::places(part) }
        } else {
            &[]
        }
    }

    /// Takes the pages of `part`, which one page table serves, from under all accesses, but keeps
    /// their frames in their entries. The CPUs still have to forget them.
    pub(crate) fn hide(&mut self, part: VirtualRange) {
        for place in self.places(part) {
            let entry = place.get();
            if entry.is_present() || entry.is_on_demand() {
                // SAFETY: the pages' owner gives them up.
                unsafe { place.set(Entry::new(entry.frame(), HIDDEN)) };
            }
        }
    }

    /// Frees the frames of the pages of `part`, which one page table serves: hidden ones, that all CPUs
    /// have forgotten. Their next access brings each another one.
    pub(crate) fn empty(&mut self, part: VirtualRange) {
        let mut run = Run::default();
        for place in self.places(part) {
            let entry = place.get();
            if entry.flags().contains(HIDDEN) {
                // SAFETY: the page's owner has given up what it holds.
                unsafe { place.set(Entry::new(0, ON_DEMAND)) };
                if entry.frame() != 0 {
                    run.add(entry.frame());
                }
            }
        }
        run.free();
    }

    /// Unmaps the pages of `part`, which one page table serves, and frees their frames if it is told
    /// to, and tables that are left empty.
    pub(crate) fn unmap(&mut self, part: VirtualRange, frames: Frames) {
        let mut unmapped = 0;
        let mut run = Run::default();
        for (place, page) in self.places(part).iter().zip(pages(part)) {
            let entry = place.get();
            if entry.is_none() {
                continue;
            }
            // SAFETY: the page's owner gives it up.
            unsafe { place.set(Entry::NONE) };
            unmapped += 1;
            // A page that waits for its frame has none.
            if entry.frame() != 0 {
                table::forget(page);
                if frames == Frames::Free {
                    run.add(entry.frame());
                }
            }
        }
        run.free();
        if unmapped > 0 {
            self.pages = self.pages.saturating_sub(unmapped);
            let left = change_used(Level::Page, part.start, |used| {
                used.saturating_sub(unmapped as u64)
            });
            if left == 0 {
                self.free_empty_tables(part.start);
            }
        }
    }

    /// Frees the table of pages that serves `page`, and those above it, if they are empty.
    fn free_empty_tables(&mut self, page: u64) {
        for level in [Level::Page, Level::Directory, Level::Pointers] {
            let above = level.above();
            let (reached, entry) = table::walk_to(above, page);
            // A table that is not there needs no freeing; those above it may.
            let present = reached == above && entry.is_present();
            if present && entry.used() > 0 {
                return;
            }
            if present {
                self.remove_table(level, page);
            }
        }
    }

    fn remove_table(&mut self, level: Level, page: u64) {
        self.known = UNKNOWN;
        let above = level.above();
        // SAFETY: the table is present, so its entry in the one above is readable.
        let entry = unsafe { table::read(above, page) };
        // SAFETY: the table has no entries, so nothing is mapped through it.
        unsafe { table::write(above, page, Entry::NONE) };
        change_used(above, page, |used| used.saturating_sub(1));
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
        free(entry.frame(), PAGE);
    }

    fn free_addresses(&mut self, area: Area) -> Option<&mut Ranges> {
        match area {
            Area::Mappings => Some(&mut self.mappings),
            Area::Objects => Some(&mut self.objects),
            Area::Heap => Some(&mut self.heap),
            Area::Elsewhere => None,
        }
    }

    pub(crate) fn give_back(&mut self, area: Area, range: VirtualRange) {
        // If there are no frames for a longer list, it may still have slots; if it has none, the
        // addresses are lost, and nothing else.
        let _ = self.make_room(area);
        if let Some(free) = self.free_addresses(area) {
            free.insert(VirtualRange {
                start: range.start,
                end: range.end + area.gap(),
            });
        }
    }

    /// Sees to it that the list of an area's free addresses can take a few more ranges.
    fn make_room(&mut self, area: Area) -> Result<(), MappingError> {
        let wanted = self
            .free_addresses(area)
            .and_then(|free| free.wants_storage());
        let Some(count) = wanted else { return Ok(()) };
        let slots = self.new_storage(count)?;
        let free = self.free_addresses(area);
        let old = free.and_then(|free| free.bring_storage(slots));
        self.free_storage(old);
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
            self.map(one_page(page), frame.into_raw().start, READ_WRITE)?;
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
            tables(range).for_each(|part| self.hide(part));
            cpu::flush_everywhere(range);
        }
        tables(range).for_each(|part| self.unmap(part, Frames::Free));
        self.mappings.insert(range);
    }
}

/// Frames that are to be freed, as far as they lie in a row.
#[derive(Default)]
struct Run {
    start: u64,
    bytes: u64,
}

impl Run {
    /// One frame more.
    fn add(&mut self, frame: u64) {
        if self.start + self.bytes != frame {
            core::mem::take(self).free();
            self.start = frame;
        }
        self.bytes += PAGE;
    }

    fn free(self) {
        if self.bytes > 0 {
            free(self.start, self.bytes);
        }
    }
}

/// Frees the frames of what has just been unmapped.
fn free(start: u64, bytes: u64) {
    let end = start + bytes;
    // SAFETY: each caller has taken the only entry that named the frames, which owned them, away.
    drop(unsafe { FrameRange::from_raw(PhysicalRange { start, end }) });
}

/// Notes how many entries are in use in the table of `level` that serves `page`, and answers with
/// that. Nobody counts the root's.
fn change_used(level: Level, page: u64, new: impl FnOnce(u64) -> u64) -> u64 {
    if level == Level::Root {
        return 0;
    }
    let above = level.above();
    // SAFETY: the table is present, and so are those above it.
    let entry = unsafe { table::read(above, page) };
    let used = new(entry.used());
    // SAFETY: the hardware ignores the count. It may set the entry's "accessed" bit in between, which
    // nobody asks for.
    unsafe { table::write(above, page, entry.with_used(used)) };
    used
}

/// Counts the entries of the nucleus's tables for the upper half.
fn count_all_entries() {
    for index in 256..512 {
        let start = layout::MAPPINGS + (index - 256) * Level::Root.entry_bytes();
        // SAFETY: the root table is always present.
        let entry = unsafe { table::read(Level::Root, start) };
        if entry.is_present() && start != layout::RECURSIVE {
            count_entries(Level::Pointers, start);
        }
    }
}

/// Counts the entries of the table of `level` whose first entry is for `start`, and of those below.
fn count_entries(level: Level, start: u64) {
    let mut used = 0;
    for index in 0..512 {
        let address = start + index * level.entry_bytes();
        // SAFETY: the caller has found the table present, and those above it.
        let entry = unsafe { table::read(level, address) };
        if entry.is_none() {
            continue;
        }
        used += 1;
        if let Some(below) = level
            .below()
            .filter(|_| entry.is_present() && !entry.is_large())
        {
            count_entries(below, address);
        }
    }
    change_used(level, start, |_| used);
}

/// Clears a frame through the scratch page. Only with the space's lock held.
fn clear(frame: &FrameRange) {
    // SAFETY: the tables above the scratch page are present since the start.
    unsafe { table::write(Level::Page, SCRATCH, Entry::new(frame.start(), READ_WRITE)) };
    table::forget(SCRATCH);
    // SAFETY: the page is mapped writable now, to a frame that is not in use.
    unsafe { core::ptr::write_bytes(SCRATCH as *mut u8, 0, size_of::<[u64; 512]>()) };
}
