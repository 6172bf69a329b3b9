//! Sets of CPUs.

use core::fmt;

use crate::CpuId;

/// A set of CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuSet(u64);

impl CpuSet {
    /// None.
    pub const EMPTY: Self = Self(0);

    /// Every CPU that there can be.
    pub const ALL: Self = Self(u64::MAX);

    /// A set of one.
    #[must_use]
    pub const fn of(cpu: CpuId) -> Self {
        Self(cpu.bit())
    }

    /// The set as a word with a bit for each CPU, for atomics.
    #[must_use]
    pub const fn word(self) -> u64 {
        self.0
    }

    /// The set with a bit for each CPU in `word`.
    #[must_use]
    pub const fn of_word(word: u64) -> Self {
        Self(word)
    }

    /// Whether `cpu` is in it.
    #[must_use]
    pub const fn contains(self, cpu: CpuId) -> bool {
        self.0 & cpu.bit() != 0
    }

    /// Those that are in `other`, too.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// All but `cpu`.
    #[must_use]
    pub const fn without(self, cpu: CpuId) -> Self {
        Self(self.0 & !cpu.bit())
    }

    /// Whether no CPU is in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many CPUs are in it.
    #[must_use]
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// The CPUs, by number.
    pub fn iter(self) -> impl Iterator<Item = CpuId> {
        let mut left = self.0;
        core::iter::from_fn(move || {
            let lowest = CpuId(left.trailing_zeros());
            left &= left.checked_sub(1)?;
            Some(lowest)
        })
    }
}

impl fmt::Display for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for cpu in self.iter() {
            write!(f, "{separator}{cpu}")?;
            separator = " ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walks_in_order() {
        let set = CpuSet(1 << 63 | 0b101);
        assert_eq!(set.to_string(), "cpu0 cpu2 cpu63");
        assert_eq!(set.without(CpuId(2)).len(), 2);
        assert!(set.contains(CpuId(63)) && !set.contains(CpuId(1)));
        assert!(set.and(CpuSet::of(CpuId(1))).is_empty());
        assert_eq!(CpuSet::ALL.iter().count(), 64);
    }
}
