//! From ticks of a counter to nanoseconds.

const NS_PER_S: u64 = 1_000_000_000;
/// Binary digits behind the point of the factor.
const FRACTION: u32 = 32;

/// Nanoseconds a tick, as a fixed-point number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scale {
    factor: u64,
}

impl Scale {
    /// The scale of a counter with `hz` ticks a second; none for a counter that stands, or one so
    /// slow that the factor has no room.
    pub(crate) fn from_hz(hz: u64) -> Option<Self> {
        let factor = (u128::from(NS_PER_S) << FRACTION).checked_div(u128::from(hz))?;
        u64::try_from(factor).ok().map(|factor| Self { factor })
    }

    /// Nanoseconds in `ticks`; the largest number if there are more.
    pub(crate) fn to_ns(self, ticks: u64) -> u64 {
        let ns = (u128::from(ticks) * u128::from(self.factor)) >> FRACTION;
        u64::try_from(ns).unwrap_or(u64::MAX)
    }

    /// Ticks in `ns`; the largest number if there are more.
    pub(crate) fn to_ticks(self, ns: u64) -> u64 {
        let ticks = (u128::from(ns) << FRACTION).checked_div(u128::from(self.factor));
        ticks.map_or(u64::MAX, |ticks| u64::try_from(ticks).unwrap_or(u64::MAX))
    }
}

/// Ticks a second of a counter that made `ticks` in `ns`.
pub(crate) fn hz(ticks: u64, ns: u64) -> u64 {
    let hz = u128::from(ticks) * u128::from(NS_PER_S) / u128::from(ns.max(1));
    u64::try_from(hz).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_tick_a_nanosecond() {
        let scale = Scale::from_hz(NS_PER_S).unwrap();
        assert_eq!(scale.to_ns(1_234_567_890_123), 1_234_567_890_123);
        assert_eq!(scale.to_ticks(1_234_567_890_123), 1_234_567_890_123);
    }

    #[test]
    fn a_year_of_three_gigahertz_stays_exact() {
        let scale = Scale::from_hz(3_000_000_000).unwrap();
        let seconds = 365 * 24 * 3600;
        let error = scale
            .to_ns(seconds * 3_000_000_000)
            .abs_diff(seconds * NS_PER_S);
        assert!(error < NS_PER_S / 50, "{error} ns");
    }

    #[test]
    fn rates() {
        assert_eq!(hz(5_000_000, 2_000_000), 2_500_000_000);
        assert_eq!(Scale::from_hz(0), None);
        assert_eq!(hz(1, 0), NS_PER_S);
    }
}
