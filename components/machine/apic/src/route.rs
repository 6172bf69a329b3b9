//! The way of a legacy interrupt to a vector.

use core::sync::atomic::{AtomicU64, Ordering};

use acpi_tables::{InterruptModel, Override, Polarity, Trigger};

use crate::{ApicError, io, local};

/// A legacy interrupt that is sent to a vector; dropping it masks the interrupt.
#[must_use]
#[derive(Debug)]
pub struct Route {
    irq: u8,
    interrupt: u32,
}

/// Which legacy interrupts have a route: a bit for each.
#[used]
static ROUTED: AtomicU64 = AtomicU64::new(0);

/// Sends a legacy interrupt (0 to 15) to `vector` on the CPU that runs this.
pub fn route(irq: u8, vector: u8) -> Result<Route, ApicError> {
    send_on(irq, vector, false)
}

/// Sends a legacy interrupt (0 to 15) to the CPU that runs this, as a non-maskable one.
pub fn route_non_maskable(irq: u8) -> Result<Route, ApicError> {
    send_on(irq, 0, true)
}

fn send_on(irq: u8, vector: u8, non_maskable: bool) -> Result<Route, ApicError> {
    let way = way_of(&acpi_tables::platform().interrupts, irq);
    let bit = 1u64.checked_shl(u32::from(irq)).unwrap_or(0);
    let taken = ROUTED.fetch_or(bit, Ordering::AcqRel) & bit != 0;
    if taken {
        return Err(ApicError::Taken { irq });
    }
    let route = Route {
        irq,
        interrupt: way.interrupt,
    };
    let redirection = io::Redirection {
        vector,
        non_maskable,
        polarity: way.polarity,
        trigger: way.trigger,
        apic_id: local::apic_id(),
    };
    if io::redirect(way.interrupt, redirection)? {
        Ok(route)
    } else {
        Err(ApicError::NoInput {
            irq,
            interrupt: way.interrupt,
        })
    }
}

/// Where a legacy interrupt arrives, and how.
fn way_of(model: &InterruptModel, irq: u8) -> Override {
    let named = model.overrides.iter().find(|way| way.irq == irq);
    named.copied().unwrap_or(Override {
        irq,
        interrupt: u32::from(irq),
        polarity: Polarity::ActiveHigh,
        trigger: Trigger::Edge,
    })
}

impl Route {
    /// Keeps the way for ever.
    pub fn leak(self) {
        core::mem::forget(self);
    }
}

impl Drop for Route {
    fn drop(&mut self) {
        // An error would mean that the registers are gone; then nothing is sent either.
        let _ = io::mask(self.interrupt);
        let bit = 1u64.checked_shl(u32::from(self.irq)).unwrap_or(0);
        ROUTED.fetch_and(!bit, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_count_and_others_stay() {
        let model = InterruptModel::default();
        assert_eq!(way_of(&model, 0).interrupt, 2);
        assert_eq!(way_of(&model, 4).interrupt, 4);
        assert_eq!(way_of(&model, 4).trigger, Trigger::Edge);
    }
}
