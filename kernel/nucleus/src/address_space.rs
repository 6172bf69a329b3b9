//! The page tables with which the components run.
//!
//! Four levels, 4 KiB pages, since protection changes from page to page (Intel manual, volume 3,
//! 4.5). No page is writable and executable, and none has a second, writable address, because the
//! identity map ends with the nucleus's own image.

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
/// Levels of tables.
const LEVELS: u64 = 4;

/// Entry: in use.
const PRESENT: u64 = 1;
/// Entry: writable.
const WRITABLE: u64 = 1 << 1;
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
    /// Tables that map `pages`, the nucleus itself and, recursively, themselves.
    pub(crate) fn build(pages: &[Pages]) -> Result<Self, BootError> {
        let mut space = Self { root: table()? };
        write(space.root.start, RECURSIVE_INDEX as u64, space.root.start | Access::ReadWrite.flags());
        pages.iter().try_for_each(|pages| space.map(pages))?;
        space.map_nucleus()?;
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
            let index = (address >> PAGE_BITS) % ENTRIES;
            if page == 0 || index == 0 {
                table = self.lowest_table(address)?;
            }
            let frame = pages.frames.start + page * PAGE_SIZE;
            write(table, index, frame | pages.access.flags());
        }
        Ok(())
    }

    /// The table of the lowest level for `address`; the levels above are made where missing.
    fn lowest_table(&mut self, address: u64) -> Result<u64, BootError> {
        let mut current = self.root.start;
        for level in (1..LEVELS).rev() {
            let index = (address >> (PAGE_BITS + level * INDEX_BITS)) % ENTRIES;
            let entry = read(current, index);
            current = if entry & PRESENT != 0 {
                entry & ADDRESS
            } else {
                let next = table()?.start;
                write(current, index, next | PRESENT | WRITABLE);
                next
            };
        }
        Ok(current)
    }
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
