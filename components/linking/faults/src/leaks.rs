//! The ledger of what faults could not drop.

use alloc::vec::Vec;
use core::fmt;
use task::TaskId;
use unwinder::LossKind;

/// Something that a fault could not drop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leak {
    /// The task that faulted.
    pub task: TaskId,
    /// Drops that were skipped because one before them in the same frame failed.
    pub failed_drops: u32,
    /// Functions that were hit by an exception themselves and ran no drop of their own.
    pub interrupted: u32,
    /// Functions of an application that was killed where it was, and dropped nothing.
    pub forgotten: u32,
    /// Bytes of stack whose values were not dropped because it could not be walked.
    pub stack_bytes: u64,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {}: ", self.task)?;
        if self.failed_drops > 0 {
            write!(
                f,
                "{} drops failed, each with the rest of its frame",
                self.failed_drops
            )
        } else if self.interrupted > 0 {
            write!(
                f,
                "{} functions were interrupted by an exception and dropped nothing of their own",
                self.interrupted
            )
        } else if self.forgotten > 0 {
            write!(
                f,
                "{} functions of an application that came to no safe point dropped nothing when it was killed",
                self.forgotten
            )
        } else {
            write!(
                f,
                "the values in {} bytes of stack were not dropped",
                self.stack_bytes
            )
        }
    }
}

/// What faults could not drop, as far as it is kept.
///
/// Empty when every drop of every fault has run. What a function owned that faulted *itself*, at an
/// instruction that is no call, is not dropped either; such functions are counted, as far as they have
/// anything to drop at all.
#[must_use]
pub fn leaks() -> Vec<Leak> {
    let losses = unwinder::losses();
    losses
        .iter()
        .map(|loss| {
            let leak = Leak {
                task: loss.task,
                failed_drops: 0,
                interrupted: 0,
                forgotten: 0,
                stack_bytes: 0,
            };
            match loss.kind {
                LossKind::FailedDrops { count } => Leak {
                    failed_drops: count,
                    ..leak
                },
                LossKind::Interrupted { count } => Leak {
                    interrupted: count,
                    ..leak
                },
                LossKind::Forgotten { count } => Leak {
                    forgotten: count,
                    ..leak
                },
                LossKind::Stack { bytes } => Leak {
                    stack_bytes: bytes,
                    ..leak
                },
            }
        })
        .collect()
}

/// How many leaks there were since the system's start, kept or not.
#[must_use]
pub fn total_leaks() -> usize {
    unwinder::losses().total()
}

/// How many killed tasks came to no safe point and were ended where they were. As after a fault, somebody whom
/// such a task was about to wake may wait for ever.
#[must_use]
pub fn forced_ends() -> u64 {
    unwinder::forced_ends()
}
