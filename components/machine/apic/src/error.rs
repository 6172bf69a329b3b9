//! What can go wrong with interrupt controllers.

use core::fmt;

use device_memory::DeviceMemoryError;

/// What can go wrong with interrupt controllers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApicError {
    /// A controller's registers could not be mapped.
    Memory(DeviceMemoryError),
    /// No I/O APIC has an input for the interrupt.
    NoInput {
        /// The legacy interrupt.
        irq: u8,
        /// Where it would arrive.
        interrupt: u32,
    },
    /// The interrupt has a route already.
    Taken {
        /// The legacy interrupt.
        irq: u8,
    },
    /// The local APIC has not been started.
    NotStarted,
}

impl fmt::Display for ApicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(error) => error.fmt(f),
            Self::NoInput { irq, interrupt } => {
                write!(
                    f,
                    "IRQ {irq}: no I/O APIC has an input for interrupt {interrupt}"
                )
            }
            Self::Taken { irq } => write!(f, "IRQ {irq} has a route already"),
            Self::NotStarted => f.write_str("the local APIC has not been started"),
        }
    }
}

impl core::error::Error for ApicError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Memory(error) => Some(error),
            _ => None,
        }
    }
}

impl From<DeviceMemoryError> for ApicError {
    fn from(error: DeviceMemoryError) -> Self {
        Self::Memory(error)
    }
}
