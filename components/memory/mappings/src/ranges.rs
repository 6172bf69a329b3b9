//! Free address ranges, kept in order.

use handover::{VirtualRange, layout::PAGE_SIZE};

/// Bits of an address below what one page table maps.
const TABLE_MASK: u64 = 512 * PAGE_SIZE - 1;

/// Free ranges that fit without storage of its own memory, which does for boot.
const INLINE: usize = 64;

/// The free ranges of an area: ascending, not touching each other.
///
/// The list never allocates. Its owner asks [`Ranges::wants_storage`] before each operation and
/// brings larger storage in time; there is no other limit to the number of ranges.
pub(crate) struct Ranges {
    storage: Storage,
    len: usize,
}

#[expect(
    clippy::large_enum_variant,
    reason = "there is no heap yet to box it in"
)]
enum Storage {
    Inline([VirtualRange; INLINE]),
    Brought(&'static mut [VirtualRange]),
}

impl Ranges {
    pub(crate) const fn new() -> Self {
        Self {
            storage: Storage::Inline([VirtualRange { start: 0, end: 0 }; INLINE]),
            len: 0,
        }
    }

    /// The free ranges.
    pub(crate) fn as_slice(&self) -> &[VirtualRange] {
        self.slots().get(..self.len).unwrap_or(&[])
    }

    /// How many ranges larger storage should hold, if it is needed before two more operations.
    pub(crate) fn wants_storage(&self) -> Option<usize> {
        let capacity = self.slots().len();
        (self.len + 4 > capacity).then_some(capacity * 2)
    }

    /// Moves the list to larger storage and answers with what it had been brought before.
    pub(crate) fn bring_storage(
        &mut self,
        slots: &'static mut [VirtualRange],
    ) -> Option<&'static mut [VirtualRange]> {
        for (new, old) in slots.iter_mut().zip(self.as_slice()) {
            *new = *old;
        }
        match core::mem::replace(&mut self.storage, Storage::Brought(slots)) {
            Storage::Inline(_) => None,
            Storage::Brought(old) => Some(old),
        }
    }

    /// Takes the lowest `bytes` bytes that are free in one piece.
    pub(crate) fn take(&mut self, bytes: u64) -> Option<VirtualRange> {
        let index = self
            .as_slice()
            .iter()
            .position(|range| range.len() >= bytes)?;
        let range = self.slots_mut().get_mut(index)?;
        let taken = VirtualRange {
            start: range.start,
            end: range.start + bytes,
        };
        range.start = taken.end;
        if range.is_empty() {
            self.remove(index);
        }
        Some(taken)
    }

    /// Takes exactly `wanted`, if it is all free.
    pub(crate) fn take_at(&mut self, wanted: VirtualRange) -> bool {
        let covers = |range: &VirtualRange| range.start <= wanted.start && wanted.end <= range.end;
        let Some(index) = self.as_slice().iter().position(covers) else {
            return false;
        };
        let Some(range) = self.slots_mut().get_mut(index) else {
            return false;
        };
        let after = VirtualRange {
            start: wanted.end,
            end: range.end,
        };
        range.end = wanted.start;
        if range.is_empty() {
            self.remove(index);
        }
        after.is_empty() || self.insert(after)
    }

    /// Frees `range`. Answers false, and changes nothing, when part of it is free already or there
    /// is no slot left.
    pub(crate) fn insert(&mut self, range: VirtualRange) -> bool {
        if range.is_empty() {
            return true;
        }
        let ranges = self.as_slice();
        let index = ranges.partition_point(|free| free.start < range.start);
        let before = index
            .checked_sub(1)
            .and_then(|before| ranges.get(before).copied());
        let after = ranges.get(index).copied();
        if before.is_some_and(|free| free.end > range.start)
            || after.is_some_and(|free| free.start < range.end)
        {
            return false;
        }
        let joins_before = before.is_some_and(|free| free.end == range.start);
        let joins_after = after.is_some_and(|free| free.start == range.end);
        match (joins_before, joins_after, after) {
            (true, true, Some(after)) => {
                self.set(index - 1, |free| free.end = after.end);
                self.remove(index);
                true
            }
            (true, _, _) => self.set(index - 1, |free| free.end = range.end),
            (_, true, _) => self.set(index, |free| free.start = range.start),
            _ => self.insert_at(index, range),
        }
    }

    fn set(&mut self, index: usize, change: impl FnOnce(&mut VirtualRange)) -> bool {
        self.slots_mut().get_mut(index).map(change).is_some()
    }

    fn remove(&mut self, index: usize) {
        let len = self.len;
        if let Some(tail) = self.slots_mut().get_mut(index..len) {
            tail.rotate_left(1);
            self.len -= 1;
        }
    }

    fn insert_at(&mut self, index: usize, range: VirtualRange) -> bool {
        let len = self.len;
        let Some(tail) = self.slots_mut().get_mut(index..=len) else {
            return false;
        };
        tail.rotate_right(1);
        if let Some(first) = tail.first_mut() {
            *first = range;
        }
        self.len += 1;
        true
    }

    fn slots(&self) -> &[VirtualRange] {
        match &self.storage {
            Storage::Inline(slots) => slots,
            Storage::Brought(slots) => slots,
        }
    }

    fn slots_mut(&mut self) -> &mut [VirtualRange] {
        match &mut self.storage {
            Storage::Inline(slots) => slots,
            Storage::Brought(slots) => slots,
        }
    }
}

/// The pages of `range`, by their addresses.
pub(crate) fn pages(range: VirtualRange) -> impl DoubleEndedIterator<Item = u64> {
    (0..range.len() / PAGE_SIZE).map(move |page| range.start + page * PAGE_SIZE)
}

/// The parts of `range` that one page table each serves.
pub(crate) fn tables(range: VirtualRange) -> impl Iterator<Item = VirtualRange> {
    let mut start = range.start;
    core::iter::from_fn(move || {
        let part = VirtualRange {
            start,
            end: range.end.min((start | TABLE_MASK).saturating_add(1)),
        };
        start = part.end;
        (!part.is_empty()).then_some(part)
    })
}

/// Whether one page table serves both addresses.
pub(crate) const fn one_table(address: u64, other: u64) -> bool {
    address | TABLE_MASK == other | TABLE_MASK
}

/// The range that is `page`.
pub(crate) const fn one_page(page: u64) -> VirtualRange {
    VirtualRange {
        start: page,
        end: page + PAGE_SIZE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: u64, end: u64) -> VirtualRange {
        VirtualRange { start, end }
    }

    fn with(ranges: &[(u64, u64)]) -> Ranges {
        let mut free = Ranges::new();
        for (start, end) in ranges {
            assert!(free.insert(range(*start, *end)));
        }
        free
    }

    #[test]
    fn takes_the_lowest_that_fits() {
        let mut free = with(&[(0x1000, 0x2000), (0x4000, 0x9000)]);
        assert_eq!(free.take(0x2000), Some(range(0x4000, 0x6000)));
        assert_eq!(free.take(0x1000), Some(range(0x1000, 0x2000)));
        assert_eq!(free.take(0x4000), None);
        assert_eq!(free.take(0x3000), Some(range(0x6000, 0x9000)));
        assert!(free.as_slice().is_empty());
    }

    #[test]
    fn neighbours_are_joined() {
        let mut free = with(&[(0x1000, 0x2000), (0x3000, 0x4000), (0x2000, 0x3000)]);
        assert_eq!(free.as_slice(), [range(0x1000, 0x4000)]);
        assert!(free.insert(range(0x6000, 0x7000)));
        assert!(free.insert(range(0x5000, 0x6000)));
        assert!(free.insert(range(0x7000, 0x8000)));
        assert_eq!(
            free.as_slice(),
            [range(0x1000, 0x4000), range(0x5000, 0x8000)]
        );
    }

    #[test]
    fn freeing_twice_is_refused() {
        let mut free = with(&[(0x1000, 0x4000)]);
        assert!(!free.insert(range(0x2000, 0x3000)));
        assert!(!free.insert(range(0x3000, 0x5000)));
        assert!(!free.insert(range(0x0, 0x2000)));
        assert_eq!(free.as_slice(), [range(0x1000, 0x4000)]);
    }

    #[test]
    fn takes_at_an_address() {
        let mut free = with(&[(0x1000, 0x9000)]);
        assert!(free.take_at(range(0x3000, 0x5000)));
        assert_eq!(
            free.as_slice(),
            [range(0x1000, 0x3000), range(0x5000, 0x9000)]
        );
        assert!(!free.take_at(range(0x2000, 0x4000)));
        assert!(free.take_at(range(0x1000, 0x3000)));
        assert!(free.take_at(range(0x8000, 0x9000)));
        assert_eq!(free.as_slice(), [range(0x5000, 0x8000)]);
    }

    #[test]
    fn parts_end_where_page_tables_do() {
        let parts = |start, end| tables(range(start, end)).collect::<Vec<_>>();
        assert_eq!(parts(0x1000, 0x1000), []);
        assert_eq!(parts(0x1000, 0x20_0000), [range(0x1000, 0x20_0000)]);
        assert_eq!(
            parts(0x1F_F000, 0x60_1000),
            [
                range(0x1F_F000, 0x20_0000),
                range(0x20_0000, 0x40_0000),
                range(0x40_0000, 0x60_0000),
                range(0x60_0000, 0x60_1000)
            ]
        );
    }

    #[test]
    fn grows_into_brought_storage() {
        let mut free = Ranges::new();
        for number in 0..1000 {
            if let Some(count) = free.wants_storage() {
                free.bring_storage(Box::leak(vec![range(0, 0); count].into_boxed_slice()));
            }
            assert!(free.insert(range(number * 0x2000, number * 0x2000 + 0x1000)));
        }
        assert_eq!(free.as_slice().len(), 1000);
        for number in 0..1000 {
            assert!(free.insert(range(number * 0x2000 + 0x1000, number * 0x2000 + 0x2000)));
        }
        assert_eq!(free.as_slice(), [range(0, 2_000 * 0x1000)]);
    }
}
