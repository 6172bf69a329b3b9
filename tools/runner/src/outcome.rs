//! How a machine ended.

use std::{fmt, os::unix::process::ExitStatusExt, process::ExitStatus};

/// Why QEMU says that it stopped (its monitor's `SHUTDOWN` event).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The guest switched the machine off.
    PowerOff,
    /// The guest reset the machine, or a triple fault did.
    Reset,
    /// Somebody on the host ended it.
    Host,
}

/// How a machine ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was switched off in good order.
    PoweredOff,
    /// The system wrote this status to the exit device.
    Exited(u8),
    /// It was reset although this run was not to survive that.
    Reset,
    /// The time for it was over.
    TimedOut,
    /// Somebody on the host ended QEMU.
    Ended,
    /// QEMU itself failed, with this status.
    QemuFailed(i32),
}

impl Outcome {
    /// Reads QEMU's exit status. The exit device makes it `status << 1 | 1`, so that 1 can be a
    /// status of 0 or QEMU's own failure; `printed` (the guest has printed something) decides.
    #[must_use]
    pub fn new(status: ExitStatus, reason: Option<Reason>, printed: bool) -> Self {
        match (status.code(), reason) {
            (Some(0), Some(Reason::Reset)) => Self::Reset,
            (Some(0), Some(Reason::Host)) => Self::Ended,
            (Some(0), _) => Self::PoweredOff,
            (Some(1), _) if !printed => Self::QemuFailed(1),
            (Some(code), _) if code & 1 == 1 => {
                u8::try_from(code >> 1).map_or(Self::QemuFailed(code), Self::Exited)
            }
            (Some(code), _) => Self::QemuFailed(code),
            (None, _) => match status.signal() {
                Some(signal) => Self::QemuFailed(128 + signal),
                None => Self::Ended,
            },
        }
    }

    /// The exit status that this outcome gives the runner.
    #[must_use]
    pub fn status(self) -> u8 {
        match self {
            Self::PoweredOff => 0,
            Self::Exited(status) => status,
            Self::Reset | Self::Ended => 1,
            Self::TimedOut => 124,
            Self::QemuFailed(status) => u8::try_from(status).unwrap_or(u8::MAX),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PoweredOff => write!(f, "the system switched the machine off"),
            Self::Exited(status) => write!(f, "the system ended with status {status}"),
            Self::Reset => write!(f, "the machine was reset"),
            Self::TimedOut => write!(f, "the system was ended when its time was over"),
            Self::Ended => write!(f, "the machine was ended from outside"),
            Self::QemuFailed(status) => write!(f, "QEMU failed with status {status}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(code: i32, reason: Option<Reason>, printed: bool) -> Outcome {
        Outcome::new(ExitStatus::from_raw(code << 8), reason, printed)
    }

    #[test]
    fn switching_off_is_success() {
        assert_eq!(
            outcome(0, Some(Reason::PowerOff), true),
            Outcome::PoweredOff
        );
        assert_eq!(outcome(0, None, true).status(), 0);
    }

    #[test]
    fn the_exit_device_gives_the_status() {
        assert_eq!(outcome(3, None, true), Outcome::Exited(1));
        assert_eq!(outcome(85, None, true), Outcome::Exited(42));
        assert_eq!(outcome(1, None, true), Outcome::Exited(0));
    }

    #[test]
    fn a_qemu_that_does_not_start_is_no_success() {
        assert_eq!(outcome(1, None, false), Outcome::QemuFailed(1));
    }

    #[test]
    fn a_triple_fault_is_no_success() {
        assert_ne!(outcome(0, Some(Reason::Reset), true).status(), 0);
    }
}
