//! Page tables, seen through their recursive entry.
//!
//! The top table's entry [`RECURSIVE_INDEX`] points to the table itself, so that the entry of any
//! level for any address has a fixed address (Intel SDM volume 3, section 4.5: the walk takes the
//! same table one or more times).

use handover::layout::RECURSIVE_INDEX;
use x86_64::{VirtAddr, instructions::tlb, structures::paging::PageTableFlags};

/// Bits of an entry that hold a physical address.
const ADDRESS: u64 = 0x000F_FFFF_FFFF_F000;
/// The part of an address that paging translates.
const TRANSLATED: u64 = 0x0000_FFFF_FFFF_FFFF;
/// Entries in a table.
const ENTRIES: usize = 512;

/// A level of the tables, by what one of its entries maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Page = 1,
    Directory = 2,
    Pointers = 3,
    Root = 4,
}

/// From the root down.
pub(crate) const ABOVE_PAGE: [Level; 3] = [Level::Root, Level::Pointers, Level::Directory];

/// An entry: an address and flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry(u64);

impl Entry {
    pub(crate) const NONE: Self = Self(0);

    pub(crate) const fn new(frame: u64, flags: PageTableFlags) -> Self {
        Self(frame & ADDRESS | flags.bits())
    }

    pub(crate) const fn frame(self) -> u64 {
        self.0 & ADDRESS
    }

    pub(crate) const fn flags(self) -> PageTableFlags {
        PageTableFlags::from_bits_truncate(self.0)
    }

    pub(crate) const fn is_none(self) -> bool {
        self.0 == 0
    }

    pub(crate) const fn is_present(self) -> bool {
        self.flags().contains(PageTableFlags::PRESENT)
    }

    pub(crate) const fn is_large(self) -> bool {
        self.flags().contains(PageTableFlags::HUGE_PAGE)
    }
}

impl Level {
    pub(crate) const fn below(self) -> Option<Self> {
        match self {
            Self::Page => None,
            Self::Directory => Some(Self::Page),
            Self::Pointers => Some(Self::Directory),
            Self::Root => Some(Self::Pointers),
        }
    }

    /// The level whose entries lead to tables of this one; the root's own is the root's.
    pub(crate) const fn above(self) -> Self {
        match self {
            Self::Page => Self::Directory,
            Self::Directory => Self::Pointers,
            Self::Pointers | Self::Root => Self::Root,
        }
    }

    /// The address at which the entry for `address` is seen.
    pub(crate) const fn entry_address(self, address: u64) -> u64 {
        let mut seen = address & TRANSLATED;
        let mut level = 0;
        while level < self as u64 {
            // Each step goes through the recursive entry once more.
            seen = (seen >> 9) | (RECURSIVE_INDEX as u64) << 39;
            level += 1;
        }
        (seen & !7) | !TRANSLATED
    }

    /// The address at which the table that holds that entry is seen.
    pub(crate) const fn table_address(self, address: u64) -> u64 {
        self.entry_address(address) & !0xFFF
    }
}

/// Reads the entry for `address`.
///
/// # Safety
///
/// The tables above `level` must have present entries for `address`, and none of them a large page.
pub(crate) unsafe fn read(level: Level, address: u64) -> Entry {
    let entry = level.entry_address(address) as *const u64;
    // SAFETY: then the recursive address is mapped, and is aligned to 8.
    Entry(unsafe { entry.read_volatile() })
}

/// Writes the entry for `address`.
///
/// # Safety
///
/// As for [`read`]; and the new entry must be one that keeps every live Rust value mapped as it is.
pub(crate) unsafe fn write(level: Level, address: u64, entry: Entry) {
    let place = level.entry_address(address) as *mut u64;
    // SAFETY: the recursive address is mapped writable; the caller answers for the meaning.
    unsafe { place.write_volatile(entry.0) };
}

/// The last entry on the walk to `address`: of its page, of a large page, or the one not present.
pub(crate) fn walk(address: u64) -> (Level, Entry) {
    for level in ABOVE_PAGE {
        // SAFETY: all levels above were present and no large pages, or the loop had ended.
        let entry = unsafe { read(level, address) };
        if !entry.is_present() || entry.is_large() {
            return (level, entry);
        }
    }
    // SAFETY: as above.
    (Level::Page, unsafe { read(Level::Page, address) })
}

/// Whether the table of `level` that serves `address` has no entry at all.
///
/// # Safety
///
/// As for [`read`].
pub(crate) unsafe fn is_empty(level: Level, address: u64) -> bool {
    let table = level.table_address(address) as *const u64;
    (0..ENTRIES).all(|index| {
        // SAFETY: the table is mapped whole, and the index is one of its entries.
        unsafe { table.wrapping_add(index).read_volatile() == 0 }
    })
}

/// Makes this CPU forget its translation of `address`.
pub(crate) fn forget(address: u64) {
    tlb::flush(VirtAddr::new_truncate(address));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recursive_addresses() {
        let address = 0xFFFF_8000_0040_3000;
        assert_eq!(Level::Page.entry_address(0), 0xFFFF_FF00_0000_0000);
        assert_eq!(Level::Page.entry_address(address), 0xFFFF_FF40_0000_2018);
        assert_eq!(
            Level::Directory.entry_address(address),
            0xFFFF_FF7F_A000_0010
        );
        assert_eq!(
            Level::Pointers.entry_address(address),
            0xFFFF_FF7F_BFD0_0000
        );
        assert_eq!(Level::Root.entry_address(address), 0xFFFF_FF7F_BFDF_E800);
        assert_eq!(Level::Root.table_address(address), 0xFFFF_FF7F_BFDF_E000);
        assert_eq!(
            Level::Root.entry_address(0xFFFF_FF00_0000_0000),
            0xFFFF_FF7F_BFDF_E000 + 510 * 8
        );
    }
}
