//! Which faults a campaign injects: drawn from its seed.

use crate::{
    kind::Kind,
    profile::{Moment, Profile, Share},
};

/// The pseudo-random numbers of `SplitMix64` (Steele, Lea, Flood: Fast Splittable Pseudorandom Number
/// Generators, OOPSLA 2014).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// One of `items`.
    pub(crate) fn choose<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let count = items.len() as u64;
        let index = self.next().checked_rem(count)?;
        items.get(usize::try_from(index).ok()?)
    }
}

/// A fault to inject.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// Its number in the campaign.
    pub(crate) number: u32,
    /// What happens.
    pub(crate) kind: Kind,
    /// To whom.
    pub(crate) workload: &'static str,
    /// In which component.
    pub(crate) component: String,
    /// When.
    pub(crate) moment: Moment,
    /// Another moment of the same component, for what hits another instruction.
    pub(crate) other: Moment,
    /// Which bit, which word, which value.
    pub(crate) detail: u64,
}

/// Draws case `number` of the campaign with `seed`, uniformly over kind, over the workloads that this
/// kind can hit, and over those components that it can hit in them. Each `attempt` draws another moment.
pub(crate) fn draw<'p>(
    seed: u64,
    number: u32,
    attempt: u32,
    kinds: &[Kind],
    profiles: &'p [(&'static str, Profile)],
) -> Option<Case> {
    let mut random = Random::new(Random::new(seed ^ u64::from(number) << 32).next());
    let kind = *random.choose(kinds)?;
    let hit = |profile: &'p Profile| -> Vec<(&'p String, &'p Share)> {
        let shares = profile.shares.iter();
        shares
            .filter(|(_, share)| !share.moments(kind.class()).is_empty())
            .collect()
    };
    let hit: Vec<_> = profiles
        .iter()
        .map(|(workload, profile)| (*workload, hit(profile)))
        .filter(|(_, shares)| !shares.is_empty())
        .collect();
    let (workload, hit) = random.choose(&hit)?;
    let (component, share) = random.choose(hit)?;
    let moments = share.moments(kind.class());
    for _ in 0..attempt {
        random.next();
    }
    Some(Case {
        number,
        kind,
        workload,
        component: (*component).clone(),
        moment: *random.choose(moments)?,
        other: *random.choose(moments)?,
        detail: random.next(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_paper() {
        // The reference implementation's first numbers for seed 1234567.
        let mut random = Random::new(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }
}
