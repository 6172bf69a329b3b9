//! From what the firmware says of memory to a list one can rely on.
//!
//! Firmware lists are unsorted, overlap and do not end on page borders. The rules: a usable range
//! shrinks to whole pages and every other grows to them; where ranges overlap, the more careful kind
//! wins; neighbours of one kind become one; what no range names is not in the list.

use alloc::vec::Vec;
use handover::{MemoryKind, MemoryRegion, PhysicalRange, layout::PAGE_SIZE};

/// A range as the firmware gave it: any order, any overlap, any alignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawRegion {
    /// First byte.
    pub start: u64,
    /// Number of bytes.
    pub length: u64,
    /// Its kind.
    pub kind: MemoryKind,
}

/// The kind behind the number that ACPI, multiboot2 and PVH share (ACPI 6.5, table 15.10). What is
/// unknown, bad memory for example, is reserved.
#[must_use]
pub const fn kind_of(number: u32) -> MemoryKind {
    match number {
        1 => MemoryKind::Usable,
        3 => MemoryKind::AcpiReclaimable,
        4 => MemoryKind::AcpiNonVolatile,
        _ => MemoryKind::Reserved,
    }
}

/// Sorted, merged, page aligned, without overlaps.
#[must_use]
pub fn normalise(raw: &[RawRegion]) -> Vec<MemoryRegion> {
    let aligned: Vec<MemoryRegion> = raw.iter().filter_map(align).collect();
    let mut borders: Vec<u64> = aligned
        .iter()
        .flat_map(|region| [region.range.start, region.range.end])
        .collect();
    borders.sort_unstable();
    borders.dedup();
    let mut regions: Vec<MemoryRegion> = Vec::new();
    for (&start, &end) in borders.iter().zip(borders.iter().skip(1)) {
        let Some(kind) = most_careful(&aligned, start) else {
            continue;
        };
        match regions.last_mut() {
            Some(last) if last.range.end == start && last.kind == kind => last.range.end = end,
            _ => regions.push(MemoryRegion {
                range: PhysicalRange { start, end },
                kind,
            }),
        }
    }
    regions
}

/// Bytes of usable memory below `limit`.
#[must_use]
pub fn usable_below(regions: &[MemoryRegion], limit: u64) -> u64 {
    let usable = regions
        .iter()
        .filter(|region| region.kind == MemoryKind::Usable);
    usable
        .map(|region| {
            region
                .range
                .end
                .min(limit)
                .saturating_sub(region.range.start)
        })
        .sum()
}

/// What is left of `ranges` without `hole`.
#[must_use]
pub fn without(ranges: &[PhysicalRange], hole: PhysicalRange) -> Vec<PhysicalRange> {
    let mut left = Vec::with_capacity(ranges.len() + 1);
    for range in ranges {
        let below = PhysicalRange {
            start: range.start,
            end: range.end.min(hole.start),
        };
        let above = PhysicalRange {
            start: range.start.max(hole.end),
            end: range.end,
        };
        if hole.is_empty() || below.end == range.end {
            left.push(*range);
            continue;
        }
        left.extend([below, above].into_iter().filter(|part| !part.is_empty()));
    }
    left
}

/// Whole pages of a raw range; `None` when nothing is left of it.
fn align(raw: &RawRegion) -> Option<MemoryRegion> {
    let end = raw.start.saturating_add(raw.length);
    let mask = PAGE_SIZE - 1;
    let range = if raw.kind == MemoryKind::Usable {
        PhysicalRange {
            start: raw.start.checked_add(mask)? & !mask,
            end: end & !mask,
        }
    } else {
        PhysicalRange {
            start: raw.start & !mask,
            end: end.saturating_add(mask) & !mask,
        }
    };
    (!range.is_empty()).then_some(MemoryRegion {
        range,
        kind: raw.kind,
    })
}

/// The kind that counts for the page at `address`.
fn most_careful(regions: &[MemoryRegion], address: u64) -> Option<MemoryKind> {
    let here = regions
        .iter()
        .filter(|region| region.range.contains(address));
    here.map(|region| region.kind)
        .max_by_key(|kind| care(*kind))
}

/// How much care a kind needs.
const fn care(kind: MemoryKind) -> u32 {
    match kind {
        MemoryKind::Usable => 0,
        MemoryKind::AcpiReclaimable => 1,
        MemoryKind::AcpiNonVolatile => 2,
        MemoryKind::Reserved => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use MemoryKind::{AcpiReclaimable, Reserved, Usable};

    fn raw(start: u64, end: u64, kind: MemoryKind) -> RawRegion {
        RawRegion {
            start,
            length: end - start,
            kind,
        }
    }

    fn region(start: u64, end: u64, kind: MemoryKind) -> MemoryRegion {
        MemoryRegion {
            range: PhysicalRange { start, end },
            kind,
        }
    }

    #[test]
    fn sorts_and_merges() {
        let raw = [
            raw(0x3000, 0x4000, Usable),
            raw(0x1000, 0x2000, Usable),
            raw(0x2000, 0x3000, Usable),
            raw(0x8000, 0x9000, Reserved),
        ];
        assert_eq!(
            normalise(&raw),
            [
                region(0x1000, 0x4000, Usable),
                region(0x8000, 0x9000, Reserved)
            ]
        );
    }

    #[test]
    fn usable_shrinks_and_reserved_grows_to_pages() {
        let raw = [raw(0, 0x9FC00, Usable), raw(0x9FC00, 0xA0000, Reserved)];
        assert_eq!(
            normalise(&raw),
            [
                region(0, 0x9F000, Usable),
                region(0x9F000, 0xA0000, Reserved)
            ]
        );
    }

    #[test]
    fn the_careful_kind_wins_inside_and_across() {
        let raw = [
            raw(0, 0x10000, Usable),
            raw(0x4000, 0x5000, Reserved),
            raw(0x4800, 0x6000, AcpiReclaimable),
            raw(0xF000, 0x12000, Reserved),
        ];
        assert_eq!(
            normalise(&raw),
            [
                region(0, 0x4000, Usable),
                region(0x4000, 0x5000, Reserved),
                region(0x5000, 0x6000, AcpiReclaimable),
                region(0x6000, 0xF000, Usable),
                region(0xF000, 0x12000, Reserved),
            ]
        );
    }

    #[test]
    fn ranges_that_overflow_or_vanish_do_no_harm() {
        let raw = [
            RawRegion {
                start: u64::MAX - 100,
                length: u64::MAX,
                kind: Usable,
            },
            RawRegion {
                start: 0x1800,
                length: 0x400,
                kind: Usable,
            },
            RawRegion {
                start: 0x5000,
                length: 0,
                kind: Reserved,
            },
        ];
        assert_eq!(normalise(&raw), []);
    }

    #[test]
    fn counts_usable_bytes_below_a_limit() {
        let regions = [
            region(0, 0x1000, Usable),
            region(0x1000, 0x2000, Reserved),
            region(0x2000, 0x8000, Usable),
            region(0x100_0000, 0x200_0000, Usable),
        ];
        assert_eq!(usable_below(&regions, 0x4000), 0x3000);
    }

    #[test]
    fn holes_are_cut_out() {
        let range = |start, end| PhysicalRange { start, end };
        let all = [range(0x1000, 0x5000), range(0x8000, 0x9000)];
        assert_eq!(without(&all, range(0, 0x1000)), all);
        assert_eq!(without(&all, range(0x6000, 0x7000)), all);
        assert_eq!(without(&all, range(0x2000, 0x3000)).len(), 3);
        assert_eq!(
            without(&all, range(0, 0x2000)),
            [range(0x2000, 0x5000), all[1]]
        );
        assert_eq!(
            without(&all, range(0x4000, 0xA000)),
            [range(0x1000, 0x4000)]
        );
        assert_eq!(without(&all, range(0x3000, 0x3000)), all);
    }
}
