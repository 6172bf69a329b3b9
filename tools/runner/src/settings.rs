//! The settings of `make`, which come as environment variables so that no shell has to quote them.

use crate::{accelerator::Accelerator, error::RunnerError, machine::Boot};
use std::{env, path::Path, time::Duration};

/// Processors that the system can use.
const MOST_PROCESSORS: u32 = 64;

/// What the user asked for.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `MEM`, in MiB.
    pub memory_mib: u32,
    /// `SMP`.
    pub processors: u32,
    /// `BOOT`.
    pub boot: Boot,
    /// `ACCEL`; `None` means whichever works.
    pub accelerator: Option<Accelerator>,
    /// `ICOUNT`.
    pub instruction_count: bool,
    /// `CMD`.
    pub command: Option<String>,
    /// `TIMEOUT`: how long a run with `CMD` may take.
    pub limit: Duration,
}

impl Settings {
    /// Reads the environment.
    ///
    /// # Errors
    ///
    /// Names the first setting that makes no sense.
    pub fn from_environment() -> Result<Self, RunnerError> {
        Ok(Self {
            memory_mib: memory(&variable("MEM").unwrap_or_else(|| "256".into()))?,
            processors: processors(&variable("SMP").unwrap_or_else(|| "1".into()))?,
            boot: boot(&variable("BOOT").unwrap_or_else(|| "bios".into()))?,
            accelerator: accelerator(&variable("ACCEL").unwrap_or_else(|| "auto".into()))?,
            instruction_count: switch("ICOUNT")?,
            command: variable("CMD"),
            limit: Duration::from_secs(
                number("TIMEOUT", "600", "a number of seconds of at least 1")?.into(),
            ),
        })
    }

    /// The accelerator to use.
    ///
    /// # Errors
    ///
    /// As [`Accelerator::detect`] and [`Accelerator::require_kvm`].
    pub fn accelerator(&self, scratch: &Path) -> Result<Accelerator, RunnerError> {
        match self.accelerator {
            Some(Accelerator::Kvm) => Accelerator::require_kvm(scratch),
            Some(Accelerator::Tcg) => Ok(Accelerator::Tcg),
            // Instructions can be counted by TCG only.
            None if self.instruction_count => Ok(Accelerator::Tcg),
            None => Accelerator::detect(scratch),
        }
    }
}

/// A variable that is set and not empty.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn switch(name: &'static str) -> Result<bool, RunnerError> {
    match variable(name).as_deref() {
        None | Some("0") => Ok(false),
        Some("1") => Ok(true),
        Some(value) => Err(RunnerError::Setting {
            name,
            value: value.into(),
            expected: "0 or 1",
        }),
    }
}

fn number(name: &'static str, default: &str, expected: &'static str) -> Result<u32, RunnerError> {
    let value = variable(name).unwrap_or_else(|| default.into());
    match value.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(RunnerError::Setting {
            name,
            value,
            expected,
        }),
    }
}

fn processors(value: &str) -> Result<u32, RunnerError> {
    let number = value.parse().ok();
    number
        .filter(|number| (1..=MOST_PROCESSORS).contains(number))
        .ok_or_else(|| RunnerError::Setting {
            name: "SMP",
            value: value.into(),
            expected: "a number of processors from 1 to 64",
        })
}

fn memory(value: &str) -> Result<u32, RunnerError> {
    let (digits, unit) = match value.strip_suffix(['G', 'g']) {
        Some(digits) => (digits, 1024),
        None => (value.strip_suffix(['M', 'm']).unwrap_or(value), 1),
    };
    let mib = digits
        .parse::<u32>()
        .ok()
        .and_then(|number| number.checked_mul(unit));
    mib.filter(|mib| *mib > 0)
        .ok_or_else(|| RunnerError::Setting {
            name: "MEM",
            value: value.into(),
            expected: "a number of MiB, or one with M or G after it",
        })
}

fn boot(value: &str) -> Result<Boot, RunnerError> {
    match value {
        "bios" => Ok(Boot::Bios),
        "uefi" => Ok(Boot::Uefi),
        "direct" => Ok(Boot::Direct),
        _ => Err(RunnerError::Setting {
            name: "BOOT",
            value: value.into(),
            expected: "bios, uefi or direct",
        }),
    }
}

fn accelerator(value: &str) -> Result<Option<Accelerator>, RunnerError> {
    match value {
        "auto" => Ok(None),
        "tcg" => Ok(Some(Accelerator::Tcg)),
        "kvm" => Ok(Some(Accelerator::Kvm)),
        _ => Err(RunnerError::Setting {
            name: "ACCEL",
            value: value.into(),
            expected: "auto, tcg or kvm",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_as_many_as_the_system_uses() {
        assert_eq!(processors("1").ok(), Some(1));
        assert_eq!(processors("64").ok(), Some(64));
        for value in ["0", "65", "-1", "all"] {
            let message = processors(value).map_err(|error| error.to_string());
            assert!(
                message.is_err_and(|it| it.contains("from 1 to 64")),
                "{value}"
            );
        }
    }

    #[test]
    fn memory_takes_units() {
        assert_eq!(memory("256").ok(), Some(256));
        assert_eq!(memory("64M").ok(), Some(64));
        assert_eq!(memory("2G").ok(), Some(2048));
        assert!(memory("0").is_err());
        assert!(memory("lots").is_err());
    }
}
