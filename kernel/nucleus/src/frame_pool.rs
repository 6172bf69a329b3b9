//! Free physical memory and what was taken of it.
//!
//! What stays (components, page tables, the hand-over) is taken from below, what goes away (the
//! nucleus's heap) from above, so that both stay contiguous and the list of what was taken short.
//! Fixed arrays, because the heap itself is filled from here.

use handover::{PhysicalRange, Purpose, UsedRange, layout::PAGE_SIZE};

/// Free ranges that are kept; of more, the largest.
const FREE_RANGES: usize = 32;
/// Ranges that can be taken before the list is full.
pub(crate) const USED_RANGES: usize = 96;

const NOTHING: PhysicalRange = PhysicalRange { start: 0, end: 0 };
const UNUSED: UsedRange = UsedRange {
    range: NOTHING,
    purpose: Purpose::Nucleus,
};

/// Free ranges, and those that were taken with what for.
pub struct FramePool {
    free: [PhysicalRange; FREE_RANGES],
    used: [UsedRange; USED_RANGES],
    used_count: usize,
}

impl FramePool {
    /// A pool without memory.
    pub const EMPTY: Self = Self {
        free: [NOTHING; FREE_RANGES],
        used: [UNUSED; USED_RANGES],
        used_count: 0,
    };

    /// Adds a free range, page aligned, that overlaps no other. When there are too many, the
    /// smallest is forgotten: it stays free for those who come later, too.
    pub fn add(&mut self, range: PhysicalRange) {
        let smallest = self.free.iter_mut().min_by_key(|slot| slot.len());
        if let Some(slot) = smallest.filter(|slot| slot.len() < range.len()) {
            *slot = range;
        }
        self.free.sort_unstable_by_key(|slot| slot.start);
    }

    /// Bytes that are free.
    #[must_use]
    pub fn free(&self) -> u64 {
        self.free.iter().map(PhysicalRange::len).sum()
    }

    /// Takes `pages` contiguous frames from the lowest range that has them.
    pub fn take_low(&mut self, pages: u64, purpose: Purpose) -> Option<PhysicalRange> {
        let length = pages.checked_mul(PAGE_SIZE)?;
        let slot = self.free.iter_mut().find(|slot| slot.len() >= length)?;
        let range = PhysicalRange {
            start: slot.start,
            end: slot.start + length,
        };
        slot.start = range.end;
        self.record(range, purpose)
    }

    /// Takes `pages` contiguous frames from the end of the highest range that has them.
    pub fn take_high(&mut self, pages: u64, purpose: Purpose) -> Option<PhysicalRange> {
        let length = pages.checked_mul(PAGE_SIZE)?;
        let slot = self
            .free
            .iter_mut()
            .rev()
            .find(|slot| slot.len() >= length)?;
        let range = PhysicalRange {
            start: slot.end - length,
            end: slot.end,
        };
        slot.end = range.start;
        self.record(range, purpose)
    }

    /// Notes that `range` is taken; `None` when the list is full.
    pub fn record(&mut self, range: PhysicalRange, purpose: Purpose) -> Option<PhysicalRange> {
        if range.is_empty() {
            return Some(range);
        }
        let known = self.used.iter_mut().take(self.used_count);
        for used in known.filter(|used| used.purpose == purpose) {
            if used.range.end == range.start {
                used.range.end = range.end;
                return Some(range);
            }
            if used.range.start == range.end {
                used.range.start = range.start;
                return Some(range);
            }
        }
        *self.used.get_mut(self.used_count)? = UsedRange { range, purpose };
        self.used_count += 1;
        Some(range)
    }

    /// What was taken, in the order of addresses.
    pub fn used(&mut self) -> &[UsedRange] {
        let used = self.used.get_mut(..self.used_count).unwrap_or(&mut []);
        used.sort_unstable_by_key(|used| used.range.start);
        used
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool() -> FramePool {
        let mut pool = FramePool::EMPTY;
        pool.add(PhysicalRange {
            start: 0x10_0000,
            end: 0x10_4000,
        });
        pool.add(PhysicalRange {
            start: 0x1000,
            end: 0x3000,
        });
        pool
    }

    #[test]
    fn takes_from_both_ends_and_merges_neighbours() {
        let mut pool = pool();
        assert_eq!(pool.free(), 0x6000);
        assert_eq!(
            pool.take_low(1, Purpose::Components)
                .map(|range| range.start),
            Some(0x1000)
        );
        assert_eq!(
            pool.take_low(1, Purpose::Components)
                .map(|range| range.start),
            Some(0x2000)
        );
        assert_eq!(
            pool.take_high(1, Purpose::Nucleus).map(|range| range.start),
            Some(0x10_3000)
        );
        assert_eq!(
            pool.take_high(2, Purpose::Nucleus).map(|range| range.start),
            Some(0x10_1000)
        );
        let used = pool.used();
        assert_eq!(used.len(), 2);
        assert_eq!(
            used[0].range,
            PhysicalRange {
                start: 0x1000,
                end: 0x3000
            }
        );
        assert_eq!(
            used[1].range,
            PhysicalRange {
                start: 0x10_1000,
                end: 0x10_4000
            }
        );
    }

    #[test]
    fn refuses_what_is_not_contiguous() {
        let mut pool = pool();
        assert_eq!(pool.take_low(5, Purpose::Components), None);
        assert_eq!(pool.take_high(u64::MAX, Purpose::Components), None);
        assert_eq!(pool.free(), 0x6000);
    }

    #[test]
    fn forgets_the_smallest_of_too_many() {
        let mut pool = FramePool::EMPTY;
        for index in 0..40 {
            let start = index * 0x10_0000;
            pool.add(PhysicalRange {
                start,
                end: start + (index + 1) * 0x1000,
            });
        }
        assert_eq!(pool.free(), (9..=40).map(|pages| pages * 0x1000).sum());
    }
}
