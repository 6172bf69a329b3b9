//! How an operation is measured.

use alloc::string::String;
use core::fmt;

/// What one operation costs, or why it could not be measured.
pub(crate) type Outcome = Result<Cost, String>;

/// Batches that are measured; the cheapest counts.
const BATCHES: usize = 7;

/// What one operation costs.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    /// Ticks of a batch.
    ticks: u64,
    /// Operations in a batch.
    operations: u64,
    /// Whether these are not ticks but bytes.
    is_bytes: bool,
}

impl Cost {
    /// Bytes of memory, for so many operations together.
    pub(crate) fn bytes(bytes: u64, operations: u64) -> Self {
        Self {
            ticks: bytes,
            operations,
            is_bytes: true,
        }
    }

    /// Whether it is a number of bytes.
    pub(crate) fn is_bytes(self) -> bool {
        self.is_bytes
    }

    /// The cost of one operation that took `ticks`.
    pub(crate) fn of(ticks: u64) -> Self {
        Self {
            ticks,
            operations: 1,
            is_bytes: false,
        }
    }

    /// Ticks for one operation, rounded.
    pub(crate) fn ticks(self) -> u64 {
        let operations = self.operations.max(1);
        self.ticks.saturating_add(operations / 2) / operations
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.ticks(), f)
    }
}

/// Measures `operation`, done `operations` times a batch.
pub(crate) fn cost(operations: u64, mut operation: impl FnMut()) -> Cost {
    let empty = cheapest(operations, || {
        core::hint::black_box(());
    });
    let ticks = cheapest(operations, &mut operation).saturating_sub(empty);
    Cost {
        ticks,
        operations,
        is_bytes: false,
    }
}

/// The same for an operation that may fail.
pub(crate) fn fallible_cost<E: fmt::Display>(
    operations: u64,
    mut operation: impl FnMut() -> Result<(), E>,
) -> Outcome {
    let mut failure = None;
    let cost = cost(operations, || {
        if let Err(error) = operation() {
            failure = Some(alloc::format!("{error}"));
        }
    });
    failure.map_or(Ok(cost), Err)
}

/// The same operations, counted by a batch that does several at once.
pub(crate) fn per(cost: Cost, operations: u64) -> Cost {
    Cost {
        operations: cost.operations.saturating_mul(operations),
        ..cost
    }
}

/// Ticks of the cheapest batch, after one that warms up.
fn cheapest(operations: u64, mut operation: impl FnMut()) -> u64 {
    let mut best = u64::MAX;
    for batch in 0..=BATCHES {
        let before = cpu::timestamp();
        for _ in 0..operations {
            operation();
        }
        let ticks = cpu::timestamp().saturating_sub(before);
        if batch > 0 {
            best = best.min(ticks);
        }
    }
    best
}
