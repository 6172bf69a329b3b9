//! Operations on ranges of pages. Each takes the space's lock anew for every page table, so that
//! interrupts wait for the pages of one table at most.

use frames::{FrameError, FrameRange};
use handover::{PhysicalRange, VirtualRange};
use x86_64::structures::paging::PageTableFlags;

use crate::{
    MappingError,
    ranges::{one_page, pages, tables},
    space::{Area, KEPT, PAGE, READ_WRITE, SPACE},
    table::{self, Entry, Level},
    to_usize,
};

/// Sets frames aside for the pages of `range`, which are not mapped before [`unkeep`].
pub(crate) fn keep_new(range: VirtualRange) -> Result<(), MappingError> {
    map_new(range, KEPT)
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

/// Turns mapped pages into kept ones: unmapped, with the frame remembered. Takes no lock.
pub(crate) fn keep(range: VirtualRange) -> Result<(), MappingError> {
    change_on_all(range, |entry| {
        entry.is_present().then(|| Entry::new(entry.frame(), KEPT))
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

/// Turns kept pages into mapped ones. Takes no lock, allocates nothing and waits for no other CPU:
/// none remembers that a page is not mapped.
pub(crate) fn unkeep(range: VirtualRange) -> Result<(), MappingError> {
    change(range, |entry| {
        entry
            .flags()
            .contains(KEPT)
            .then(|| Entry::new(entry.frame(), READ_WRITE))
    })
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
