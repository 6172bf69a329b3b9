//! The faults that were, for whoever wants to know later.

use alloc::{collections::VecDeque, vec::Vec};
use core::sync::atomic::{AtomicU64, Ordering};
use cpu::IrqMutex;
use task::{Failure, Message, TaskId};

/// How many faults are kept.
const KEPT: usize = 64;

/// A fault that was.
///
/// Its texts lie in it: what is allocated while memory runs out, and kept, would hold on to memory that
/// the faulter had taken.
#[derive(Clone, Debug)]
pub struct FaultRecord {
    /// When, by the clock.
    pub time_ns: u64,
    /// The task that it ended (or that an interrupt handler that it ended had interrupted).
    pub task: TaskId,
    /// The task's name.
    pub task_name: Message,
    /// The component in which it happened; empty if that is not known.
    pub component: Message,
    /// The function in which it happened; empty if that is not known.
    pub function: Message,
    /// Offset in the function.
    pub offset: u64,
    /// The address of the instruction.
    pub instruction: u64,
    /// What happened.
    pub failure: Failure,
    /// Whether it happened in the handler of a device's interrupt.
    pub in_interrupt_handler: bool,
}

impl FaultRecord {
    /// The CPU's vector, where a CPU exception caused the fault.
    #[must_use]
    pub const fn vector(&self) -> Option<u8> {
        self.failure.vector()
    }
}

#[used]
static RECORDS: IrqMutex<VecDeque<FaultRecord>> = IrqMutex::new(VecDeque::new());

#[used]
static TOTAL: AtomicU64 = AtomicU64::new(0);

/// Takes the memory for the records' list.
pub(crate) fn set_up() {
    let mut fresh = VecDeque::with_capacity(KEPT);
    core::mem::swap(&mut *RECORDS.lock(), &mut fresh);
}

/// Keeps `record`, in place of the oldest one if there are too many.
pub(crate) fn keep(record: FaultRecord) {
    TOTAL.fetch_add(1, Ordering::Relaxed);
    let mut records = RECORDS.lock();
    if records.len() >= KEPT {
        records.pop_front();
    }
    records.push_back(record);
}

/// The last faults, the oldest first.
#[must_use]
pub fn records() -> Vec<FaultRecord> {
    let mut kept = Vec::with_capacity(KEPT);
    kept.extend(RECORDS.lock().iter().take(KEPT).cloned());
    kept
}

/// How many faults there were since the system's start.
#[must_use]
pub fn total_records() -> u64 {
    TOTAL.load(Ordering::Relaxed)
}
