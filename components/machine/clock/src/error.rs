//! Why there is no clock.

use core::fmt;

use interrupts::VectorError;

use crate::measure::Rates;

/// Why there is no clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockError {
    /// No clock of known rate moves.
    NoReference,
    /// The rates measured cannot be.
    Implausible(Rates),
    /// There was no vector for the timer.
    Vector(VectorError),
}

impl fmt::Display for ClockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoReference => f.write_str("neither the ACPI timer nor the PIT moves"),
            Self::Implausible(rates) => write!(
                f,
                "measured {} Hz for the counter and {} Hz for the timer, which cannot be",
                rates.counter_hz, rates.timer_hz
            ),
            Self::Vector(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ClockError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Vector(error) => Some(error),
            _ => None,
        }
    }
}

impl From<VectorError> for ClockError {
    fn from(error: VectorError) -> Self {
        Self::Vector(error)
    }
}
