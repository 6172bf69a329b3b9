//! Page tables, seen through their recursive entry.
//!
//! The top table's entry [`RECURSIVE_INDEX`] points to the table itself, so that the entry of any
//! level for any address has a fixed address (Intel SDM volume 3, section 4.5: the walk takes the
//! same table one or more times).

use core::sync::atomic::{AtomicU64, Ordering};

use handover::{VirtualRange, layout::RECURSIVE_INDEX};
use x86_64::{VirtAddr, instructions::tlb, structures::paging::PageTableFlags};

/// Bits of an entry that hold a physical address.
const ADDRESS: u64 = 0x000F_FFFF_FFFF_F000;
/// The part of an address that paging translates.
const TRANSLATED: u64 = 0x0000_FFFF_FFFF_FFFF;
/// The least significant of the bits of a table's entry that count the table's own entries. The
/// hardware ignores them there (Intel SDM volume 3, table 4-15 and those like it: bits 52 to 62).
const USED_SHIFT: u32 = 52;
/// Those bits: they hold 0 to 512.
const USED: u64 = 0x3FF << USED_SHIFT;

/// Of an entry without a frame: the page gets one when it is first accessed (a bit that the hardware
/// ignores).
pub(crate) const ON_DEMAND: PageTableFlags = PageTableFlags::BIT_9;

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

    pub(crate) const fn is_on_demand(self) -> bool {
        self.flags().contains(ON_DEMAND) && !self.is_present()
    }

    pub(crate) const fn is_large(self) -> bool {
        self.flags().contains(PageTableFlags::HUGE_PAGE)
    }

    /// The same for the frame behind this one, or without a frame.
    pub(crate) const fn next_frame(self) -> Self {
        if self.is_on_demand() {
            return self;
        }
        Self(self.0 + handover::layout::PAGE_SIZE)
    }

    /// Of a table's entry: how many entries of that table are in use.
    pub(crate) const fn used(self) -> u64 {
        (self.0 & USED) >> USED_SHIFT
    }

    /// As this entry, with another number of entries in use.
    pub(crate) const fn with_used(self, used: u64) -> Self {
        Self(self.0 & !USED | used << USED_SHIFT & USED)
    }
}

/// An entry in its table.
#[repr(transparent)]
pub(crate) struct Place(AtomicU64);

impl Place {
    pub(crate) fn get(&self) -> Entry {
        Entry(self.0.load(Ordering::Relaxed))
    }

    /// Writes the entry.
    ///
    /// # Safety
    ///
    /// The new entry must be one that keeps every live Rust value mapped as it is.
    pub(crate) unsafe fn set(&self, entry: Entry) {
        self.0.store(entry.0, Ordering::Relaxed);
    }

    /// Writes the entry `new` where `old` still is; whether it was.
    ///
    /// # Safety
    ///
    /// As for [`Place::set`].
    pub(crate) unsafe fn exchange(&self, old: Entry, new: Entry) -> bool {
        self.0
            .compare_exchange(old.0, new.0, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
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

    /// How many bytes an entry maps.
    pub(crate) const fn entry_bytes(self) -> u64 {
        handover::layout::PAGE_SIZE << (9 * (self as u64 - 1))
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
///
/// Page faults walk, so this is [`walk_to`] written out.
pub(crate) fn walk(address: u64) -> (Level, Entry) {
    macro_rules! ends_at {
        ($level:expr) => {
            // SAFETY: all levels above are present and no large pages, or the walk had ended.
            let entry = unsafe { read($level, address) };
            if !entry.is_present() || entry.is_large() {
                return ($level, entry);
            }
        };
    }
    ends_at!(Level::Root);
    ends_at!(Level::Pointers);
    ends_at!(Level::Directory);
    // SAFETY: as above.
    (Level::Page, unsafe { read(Level::Page, address) })
}

/// As [`walk`], but ends at the entry of `last` at the latest.
pub(crate) fn walk_to(last: Level, address: u64) -> (Level, Entry) {
    let mut level = Level::Root;
    loop {
        // SAFETY: all levels above were present and no large pages, or the loop had ended.
        let entry = unsafe { read(level, address) };
        match level.below() {
            Some(below) if level > last && entry.is_present() && !entry.is_large() => level = below,
            _ => return (level, entry),
        }
    }
}

/// The entries for the pages of `range`.
///
/// # Safety
///
/// One page table must serve the whole range, and the tables above it must have present entries for
/// it, none of them a large page, for as long as the answer is used.
pub(crate) unsafe fn places<'a>(range: VirtualRange) -> &'a [Place] {
    let first = Level::Page.entry_address(range.start) as *const Place;
    let count = (range.len() / handover::layout::PAGE_SIZE) as usize;
    // SAFETY: then the entries lie one behind the other in a page that the recursive entry maps; they
    // are only changed as atomic words, by us and by the hardware.
    unsafe { core::slice::from_raw_parts(first, count) }
}

/// Makes this CPU forget its translation of `address`.
pub(crate) fn forget(address: u64) {
    tlb::flush(VirtAddr::new_truncate(address));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_beside_address_and_flags() {
        let entry = Entry::new(0x000F_FFFF_FFFF_F000, PageTableFlags::all());
        let entry = Entry::new(
            entry.frame(),
            PageTableFlags::PRESENT | PageTableFlags::NO_EXECUTE,
        );
        for used in [0, 1, 511, 512] {
            let counted = entry.with_used(77).with_used(used);
            assert_eq!(counted.used(), used);
            assert_eq!(counted.frame(), entry.frame());
            assert_eq!(counted.with_used(0), entry);
        }
    }

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
