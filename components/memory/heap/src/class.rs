//! Size classes: small allocations are rounded up to one of a few sizes, so that a block that is
//! freed fits the next allocation of about its size.

use crate::magazines::Magazines;
use core::alloc::Layout;

/// The sizes of blocks in bytes, each a multiple of [`GRANULE`].
const SIZES: [usize; CLASSES] = [16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024];

/// Number of classes.
pub(crate) const CLASSES: usize = 12;

/// The alignment of all blocks, and the step in which sizes are looked up.
const GRANULE: usize = 16;

/// The largest block.
const LARGEST: usize = 1024;

/// The class of each number of granules.
static BY_GRANULES: [u16; LARGEST / GRANULE + 1] = by_granules();

/// Bytes that a magazine has at the most, unless two blocks take more.
const MAGAZINE_BYTES: usize = 2048;

/// How many blocks a magazine of each class has.
const MAGAZINES: [usize; CLASSES] = magazines();

/// Bytes from one class's entry to the next in a CPU's share.
const ENTRY: usize = size_of::<Magazines>();

/// A size class: the offset of its entry in a CPU's share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Class(u16);

impl Class {
    /// The class whose blocks `layout` gets; none if it is too large or wants more alignment.
    #[inline]
    pub(crate) fn of(layout: Layout) -> Option<Self> {
        if layout.align() > GRANULE {
            return None;
        }
        let granules = layout.size().wrapping_add(GRANULE - 1) / GRANULE;
        let class = *BY_GRANULES.get(granules)?;
        Some(Self(class))
    }

    /// The offset of its entry in a CPU's share.
    #[inline]
    pub(crate) const fn offset(self) -> usize {
        self.0 as usize
    }

    /// Its place in tables of [`CLASSES`] entries.
    pub(crate) const fn index(self) -> usize {
        self.offset() / ENTRY
    }

    /// All classes.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..).step_by(ENTRY).take(CLASSES).map(Self)
    }

    /// What a block of the class is to the allocator behind.
    pub(crate) fn layout(self) -> Layout {
        let size = SIZES.get(self.index()).copied().unwrap_or(LARGEST);
        // Both are powers of two or multiples of one, and far below the largest size.
        Layout::from_size_align(size, GRANULE).unwrap_or(Layout::new::<u128>())
    }

    /// Blocks that move between a CPU and the depot at a time.
    pub(crate) fn magazine(self) -> usize {
        MAGAZINES.get(self.index()).copied().unwrap_or(2)
    }
}

const fn magazines() -> [usize; CLASSES] {
    let mut table = [2; CLASSES];
    let mut class = 0;
    while class < CLASSES {
        let blocks = MAGAZINE_BYTES / SIZES[class];
        if blocks > 32 {
            table[class] = 32;
        } else if blocks > 2 {
            table[class] = blocks;
        }
        class += 1;
    }
    table
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the offsets of a dozen entries"
)]
const fn by_granules() -> [u16; LARGEST / GRANULE + 1] {
    let mut table = [0; LARGEST / GRANULE + 1];
    let mut granules = 0;
    let mut class = 0;
    while granules < table.len() {
        if granules * GRANULE > SIZES[class] {
            class += 1;
        }
        table[granules] = (class * ENTRY) as u16;
        granules += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    #[test]
    fn a_block_is_the_smallest_that_fits() {
        for size in 1..=LARGEST {
            let class = Class::of(layout(size, 8)).unwrap();
            assert!(class.layout().size() >= size, "{size}");
            let smaller = class.index().checked_sub(1).map(|index| SIZES[index]);
            assert!(smaller.is_none_or(|smaller| smaller < size), "{size}");
        }
    }

    #[test]
    fn large_and_strictly_aligned_allocations_have_no_class() {
        assert_eq!(Class::of(layout(LARGEST + 1, 1)), None);
        assert_eq!(Class::of(layout(usize::MAX / 4, 1)), None);
        assert_eq!(Class::of(layout(8, 32)), None);
    }

    #[test]
    fn magazines_are_small() {
        for class in Class::all() {
            assert!(class.magazine() * class.layout().size() <= 2 * MAGAZINE_BYTES);
        }
    }
}
