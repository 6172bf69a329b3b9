//! How much a task matters beside others.

use core::fmt;

/// How many levels there are.
const LEVELS: usize = Priority::HIGHEST.0 as usize + 1;

/// Weight of a task of normal priority.
const NORMAL_WEIGHT: u64 = 1024;

/// How much a task matters: the higher the level, the more. What follows from it is the policy's
/// affair; under one that shares by weight, each level is worth a quarter more than the one below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Priority(u8);

impl Priority {
    /// The lowest.
    pub const LOWEST: Self = Self(0);
    /// That of a task whose maker has asked for nothing else.
    pub const NORMAL: Self = Self(16);
    /// The highest.
    pub const HIGHEST: Self = Self(31);

    /// The priority of this level; `None` above [`Priority::HIGHEST`].
    #[must_use]
    pub const fn of_level(level: u8) -> Option<Self> {
        if level <= Self::HIGHEST.0 {
            Some(Self(level))
        } else {
            None
        }
    }

    /// The level.
    #[must_use]
    pub const fn level(self) -> u8 {
        self.0
    }

    /// The share of a CPU, beside the shares of others: 1024 for a task of normal priority.
    #[must_use]
    pub fn weight(self) -> u32 {
        WEIGHTS.get(usize::from(self.0)).copied().unwrap_or(1)
    }
}

impl Default for Priority {
    fn default() -> Self {
        Self::NORMAL
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The weights of all levels. A constant, since nothing reads it often.
const WEIGHTS: [u32; LEVELS] = weights();

#[expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "computed by the compiler, which would stop at either"
)]
const fn weights() -> [u32; LEVELS] {
    let mut weights = [0; LEVELS];
    let mut level = 0;
    while level < LEVELS {
        let normal = Priority::NORMAL.0 as usize;
        let mut weight = NORMAL_WEIGHT << 16;
        let mut step = level.abs_diff(normal);
        while step > 0 {
            weight = if level < normal {
                weight * 4 / 5
            } else {
                weight * 5 / 4
            };
            step -= 1;
        }
        weights[level] = (weight >> 16) as u32;
        level += 1;
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_is_worth_a_quarter_more() {
        assert_eq!(u64::from(Priority::NORMAL.weight()), NORMAL_WEIGHT);
        assert_eq!(Priority::of_level(17).map(Priority::weight), Some(1280));
        assert_eq!(Priority::of_level(15).map(Priority::weight), Some(819));
        assert_eq!(Priority::of_level(32), None);
        assert!(
            WEIGHTS
                .iter()
                .zip(&WEIGHTS[1..])
                .all(|(low, high)| low < high)
        );
        assert!(Priority::LOWEST.weight() > 0);
    }
}
