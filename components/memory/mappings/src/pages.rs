//! Operations on ranges of pages. Each takes the space's lock anew for every page table, so that
//! interrupts wait for the pages of one table at most.

use frames::{FrameError, FrameRange};
use handover::{PhysicalRange, VirtualRange};
use x86_64::structures::paging::PageTableFlags;

use crate::{
    MappingError,
    ranges::{one_page, pages, tables},
    space::{Area, PAGE, READ_WRITE, SPACE},
    table::{self, Entry, Level, ON_DEMAND},
    to_usize,
};

/// Lets each page of `range` get a frame when it is first accessed. On failure nothing is changed.
///
/// A range that could never be filled is refused: there must be as many free frames now, though nobody
/// keeps them.
pub(crate) fn map_on_demand(range: VirtualRange) -> Result<(), MappingError> {
    let count = to_usize(range.len() / PAGE);
    let free = frames::statistics().free;
    if count > free {
        return Err(FrameError::Exhausted { count, free }.into());
    }
    map_each(range, Frames::Keep, tables(range), |part| {
        SPACE.lock().map(part, 0, ON_DEMAND)
    })
}

/// Sees to it that the page of `address`, of a mapping that stays meanwhile, is mapped: if it waits for
/// one, it gets the frame that `frame` answers with. Whether it is mapped now. Takes no lock, so it works
/// in an exception that has hit anywhere.
pub fn commit(address: u64, frame: impl FnOnce() -> Option<FrameRange>) -> bool {
    let (level, entry) = table::walk(address);
    if level != Level::Page || !entry.is_on_demand() {
        return entry.is_present();
    }
    let Some(frame) = frame() else {
        return false;
    };
    let page = one_page(address & !(PAGE - 1));
    // SAFETY: the walk came down to the page's entry, and the tables stay as long as the mapping.
    let places = unsafe { table::places(page) };
    let new = Entry::new(frame.start(), READ_WRITE);
    // SAFETY: nothing was mapped there, so no live value is touched, and no CPU remembers it.
    let first = |place: &table::Place| unsafe { place.exchange(entry, new) };
    if places.first().is_some_and(first) {
        let _ = frame.into_raw(); // The page table remembers it.
    } else {
        // Another CPU was faster.
        frames::give_back_in_exception(frame);
    }
    true
}

/// Takes the frames from behind the pages of `range`, which get others when they are next accessed.
pub(crate) fn decommit(range: VirtualRange) {
    tables(range).for_each(|part| SPACE.lock().hide(part));
    if cpu::alone() {
        pages(range).for_each(table::forget);
    } else {
        cpu::flush_everywhere(range);
    }
    tables(range).for_each(|part| SPACE.lock().empty(part));
}

/// Maps frames, fresh ones, at `range`. On failure nothing stays mapped.
pub(crate) fn map_new(range: VirtualRange, flags: PageTableFlags) -> Result<(), MappingError> {
    let count = to_usize(range.len() / PAGE);
    // In one piece when there is one: a search for each page would cost more.
    match frames::allocate(count, PAGE) {
        Ok(frames) => return map_owned(range, frames, flags),
        Err(FrameError::Fragmented { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    map_each(range, Frames::Free, pages(range).map(one_page), |page| {
        map_owned(page, frames::allocate(1, PAGE)?, flags)
    })
}

/// Maps the parts of `range` one after the other. On failure nothing stays mapped, and `frames` says
/// what becomes of the frames behind the parts before.
fn map_each(
    range: VirtualRange,
    frames: Frames,
    mut parts: impl Iterator<Item = VirtualRange>,
    mut map: impl FnMut(VirtualRange) -> Result<(), MappingError>,
) -> Result<(), MappingError> {
    parts.try_for_each(|part| {
        map(part).inspect_err(|_| {
            let mapped = VirtualRange {
                start: range.start,
                end: part.start,
            };
            unmap(mapped, frames);
        })
    })
}

fn map_owned(
    range: VirtualRange,
    frames: FrameRange,
    flags: PageTableFlags,
) -> Result<(), MappingError> {
    // On failure the frames are freed when they are dropped here.
    map_physical(range, frames.range(), flags)?;
    let _ = frames.into_raw(); // The page tables remember them.
    Ok(())
}

/// Maps `frames` at `range`, which is as long. On failure nothing stays mapped.
pub(crate) fn map_physical(
    range: VirtualRange,
    frames: PhysicalRange,
    flags: PageTableFlags,
) -> Result<(), MappingError> {
    map_each(range, Frames::Keep, tables(range), |part| {
        let frame = frames.start + (part.start - range.start);
        SPACE.lock().map(part, frame, flags)
    })
}

/// Maps the pages of `target` a second time, at `range`.
pub(crate) fn map_alias(
    range: VirtualRange,
    target: VirtualRange,
    flags: PageTableFlags,
) -> Result<(), MappingError> {
    map_each(range, Frames::Keep, pages(range).map(one_page), |page| {
        let address = target.start + (page.start - range.start);
        match table::walk(address) {
            (Level::Page, entry) if entry.is_present() => {
                SPACE.lock().map(page, entry.frame(), flags)
            }
            _ => Err(MappingError::NotMapped { address }),
        }
    })
}

/// What becomes of the frames of unmapped pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frames {
    /// They are freed: the mapping owned them.
    Free,
    /// Somebody else owns them.
    Keep,
}

/// Unmaps what is mapped of `range`. The addresses stay taken.
pub(crate) fn unmap(range: VirtualRange, frames: Frames) {
    release(Area::Elsewhere, range, frames);
}

/// Unmaps what is mapped of `range` and gives its addresses back to `area`.
///
/// A frame is freed when no CPU can reach it any more. With several CPUs the pages are first hidden,
/// their frames still in the entries, then forgotten by all CPUs at once, and only then unmapped.
pub(crate) fn release(area: Area, range: VirtualRange, frames: Frames) {
    if !cpu::alone() {
        tables(range).for_each(|part| SPACE.lock().hide(part));
        cpu::flush_everywhere(range);
    }
    for part in tables(range) {
        let mut space = SPACE.lock();
        space.unmap(part, frames);
        if part.end == range.end {
            space.give_back(area, range);
        }
    }
}

/// Changes the rights of mapped pages.
pub(crate) fn protect(range: VirtualRange, flags: PageTableFlags) -> Result<(), MappingError> {
    change_on_all(range, |entry| {
        entry.is_present().then(|| Entry::new(entry.frame(), flags))
    })
}

/// As [`change`], and lets the other CPUs forget what was before, also of the part that was changed
/// when the rest could not be.
fn change_on_all(
    range: VirtualRange,
    new: impl Fn(Entry) -> Option<Entry>,
) -> Result<(), MappingError> {
    let changed = change(range, new);
    let start = range.start;
    let nothing = Err(MappingError::NotMapped { address: start });
    if !cpu::alone() && changed != nothing {
        cpu::flush_everywhere(range);
    }
    changed
}

/// Rewrites the entries of pages that the caller owns; so no lock is needed: nobody else changes
/// them, and their tables are not empty.
fn change(range: VirtualRange, new: impl Fn(Entry) -> Option<Entry>) -> Result<(), MappingError> {
    for page in pages(range) {
        let (level, entry) = table::walk(page);
        let new = new(entry)
            .filter(|_| level == Level::Page)
            .ok_or(MappingError::NotMapped { address: page })?;
        // SAFETY: the walk came down to the page's own entry; the caller owns the page and answers
        // for its new rights.
        unsafe { table::write(Level::Page, page, new) };
        table::forget(page);
    }
    Ok(())
}

/// The rights of the page at `address`, if it is mapped.
pub(crate) fn flags_of(address: u64) -> Option<PageTableFlags> {
    let (_, entry) = table::walk(address);
    entry.is_present().then(|| entry.flags())
}

/// Whether the page of `address`, of a mapping that stays meanwhile, is mapped. Takes no lock.
#[must_use]
pub fn is_mapped(address: u64) -> bool {
    flags_of(address).is_some()
}

/// The physical address that is mapped at `address`.
#[must_use]
pub fn physical_address(address: u64) -> Option<u64> {
    match table::walk(address) {
        (Level::Page, entry) if entry.is_present() => Some(entry.frame() + address % PAGE),
        _ => None,
    }
}

/// Whether every page that `range` touches is mapped writable. May be called from any exception: it
/// waits for other CPUs that change page tables, whose tables could else go away under this walk, but
/// not for its own.
#[must_use]
pub fn is_writable(range: VirtualRange) -> bool {
    let _tables_stay = SPACE.lock_unless_ours();
    let mut page = range.start & !(PAGE - 1);
    while page < range.end {
        if !flags_of(page).is_some_and(|flags| flags.contains(PageTableFlags::WRITABLE)) {
            return false;
        }
        let Some(next) = page.checked_add(PAGE) else {
            return true;
        };
        page = next;
    }
    true
}
