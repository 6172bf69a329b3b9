//! The page tables with which the components run.
//!
//! Four levels, 4 KiB pages, since protection changes from page to page (Intel manual, volume 3,
//! 4.5). No page is writable and executable, and no text or constant has a second, writable address:
//! the identity map, in which the first components start their own books, has the nucleus's image and
//! free memory only.

use crate::{
    error::BootError,
    memory::{self, TakenFrames},
};
use handover::{
    PhysicalRange, Purpose,
    layout::{PAGE_SIZE, RECURSIVE_INDEX},
};

/// Entries of a table.
const ENTRIES: u64 = 512;
/// Bits of a virtual address that index one level.
const INDEX_BITS: u64 = 9;
/// Bits of a virtual address inside a page.
const PAGE_BITS: u64 = 12;
/// Level of the top table; that of the tables whose entries are pages is 0.
const TOP_LEVEL: u64 = 3;
/// Level of the tables whose entries may be large pages.
const LARGE_LEVEL: u64 = 1;
/// Size of a large page in bytes.
const LARGE_SIZE: u64 = PAGE_SIZE * ENTRIES;

/// Entry: in use.
const PRESENT: u64 = 1;
/// Entry: writable.
const WRITABLE: u64 = 1 << 1;
/// Entry: a large page.
const LARGE: u64 = 1 << 7;
/// Entry: not executable.
const NO_EXECUTE: u64 = 1 << 63;
/// Entry: where the physical address stands.
const ADDRESS: u64 = 0x000F_FFFF_FFFF_F000;

/// What may be done with a page. Writing and executing the same page is not on offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    ReadWrite,
    ReadExecute,
}

impl Access {
    const fn flags(self) -> u64 {
        match self {
            Self::Read => PRESENT | NO_EXECUTE,
            Self::ReadWrite => PRESENT | WRITABLE | NO_EXECUTE,
            Self::ReadExecute => PRESENT,
        }
    }
}

/// Frames, the virtual address that they get, and what may be done there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pages {
    start: u64,
    frames: PhysicalRange,
    access: Access,
}

impl Pages {
    /// Whole pages from `start` on.
    pub(crate) const fn new(start: u64, frames: PhysicalRange, access: Access) -> Self {
        Self { start, frames, access }
    }
}

/// Page tables under construction, written through the identity map.
pub(crate) struct AddressSpace {
    root: PhysicalRange,
}

impl AddressSpace {
    /// Tables that map `pages`, `free` memory and the nucleus at their physical addresses, and,
    /// recursively, themselves.
    pub(crate) fn build(pages: &[Pages], free: &[PhysicalRange]) -> Result<Self, BootError> {
        let mut space = Self { root: table()? };
        let recursive = space.root.start | Access::ReadWrite.flags();
        write(space.root.start, RECURSIVE_INDEX as u64, recursive);
        pages.iter().try_for_each(|pages| space.map(pages))?;
        space.map_nucleus()?;
        free.iter().try_for_each(|range| space.map_free(*range))?;
        Ok(space)
    }

    /// Physical address of the top table.
    pub(crate) const fn root(&self) -> u64 {
        self.root.start
    }

    /// The nucleus where it is: the code that makes the switch goes on in it.
    fn map_nucleus(&mut self) -> Result<(), BootError> {
        let (whole, text) = (memory::nucleus_range(), memory::nucleus_text());
        let rodata = PhysicalRange { start: whole.start, end: text.start };
        let data = PhysicalRange { start: text.end, end: whole.end };
        let parts = [
            (rodata, Access::Read),
            (text, Access::ReadExecute),
            (data, Access::ReadWrite),
        ];
        parts.iter().try_for_each(|(range, access)| {
            self.map(&Pages { start: range.start, frames: *range, access: *access })
        })
    }

    fn map(&mut self, pages: &Pages) -> Result<(), BootError> {
        let count = pages.frames.len() / PAGE_SIZE;
        let mut table = 0;
        for page in 0..count {
            let address = pages.start + page * PAGE_SIZE;
            if page == 0 || index(address, 0) == 0 {
                table = self.table_of(address, 0)?;
            }
            let frame = pages.frames.start + page * PAGE_SIZE;
            write(table, index(address, 0), frame | pages.access.flags());
        }
        Ok(())
    }

    /// Free memory where it is, in large pages where they fit.
    fn map_free(&mut self, range: PhysicalRange) -> Result<(), BootError> {
        let large_start = range.start.next_multiple_of(LARGE_SIZE);
        let large_end = range.end / LARGE_SIZE * LARGE_SIZE;
        if large_start >= large_end {
            return self.map(&Pages::new(range.start, range, Access::ReadWrite));
        }
        for address in (large_start..large_end).step_by(to_usize(LARGE_SIZE)) {
            let table = self.table_of(address, LARGE_LEVEL)?;
            let entry = address | LARGE | Access::ReadWrite.flags();
            write(table, index(address, LARGE_LEVEL), entry);
        }
        let below = PhysicalRange { start: range.start, end: large_start };
        let above = PhysicalRange { start: large_end, end: range.end };
        self.map(&Pages::new(below.start, below, Access::ReadWrite))?;
        self.map(&Pages::new(above.start, above, Access::ReadWrite))
    }

    /// The table of `level` for `address`; the levels above are made where missing.
    fn table_of(&mut self, address: u64, level: u64) -> Result<u64, BootError> {
        let mut current = self.root.start;
        for above in (level + 1..=TOP_LEVEL).rev() {
            let entry = read(current, index(address, above));
            current = if entry & PRESENT != 0 {
                entry & ADDRESS
            } else {
                let next = table()?.start;
                write(current, index(address, above), next | PRESENT | WRITABLE);
                next
            };
        }
        Ok(current)
    }
}

/// Which entry of its table of `level` an address belongs to.
const fn index(address: u64, level: u64) -> u64 {
    (address >> (PAGE_BITS + level * INDEX_BITS)) % ENTRIES
}

#[expect(clippy::cast_possible_truncation, reason = "usize has 64 bits on this machine")]
const fn to_usize(value: u64) -> usize {
    value as usize
}

/// An empty table.
fn table() -> Result<PhysicalRange, BootError> {
    let mut frames = TakenFrames::take(PAGE_SIZE, Purpose::PageTables)?;
    frames.bytes().fill(0);
    Ok(frames.range())
}

fn read(table: u64, index: u64) -> u64 {
    // SAFETY: `table` is a frame taken for a table, identity mapped; `index` is below 512.
    unsafe { ((table + index * 8) as *const u64).read() }
}

fn write(table: u64, index: u64, entry: u64) {
    // SAFETY: `table` is a frame taken for a table, identity mapped; `index` is below 512.
    unsafe { ((table + index * 8) as *mut u64).write(entry) };
}
