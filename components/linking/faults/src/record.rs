//! The faults that were, for whoever wants to know later.

use crate::symbol;
use alloc::{
    collections::VecDeque,
    string::{String, ToString},
    vec::Vec,
};
use core::sync::atomic::{AtomicU64, Ordering};
use cpu::{CpuId, IrqMutex};
use loader::{CodePlace, NoLines};
use task::{Failure, Message, TaskId};

/// How many faults are kept.
const KEPT: usize = 64;

/// A fault that was.
///
/// Its texts lie in it: what is allocated while memory runs out, and kept, would hold on to memory that
/// the faulter had taken.
#[derive(Clone, Debug)]
pub struct FaultRecord {
    /// Its number: 1 for the first since the system's start.
    pub number: u64,
    /// When, by the clock.
    pub time_ns: u64,
    /// The CPU on which it happened.
    pub cpu: CpuId,
    /// The task that it ended (or that an interrupt handler that it ended had interrupted).
    pub task: TaskId,
    /// The task's name.
    pub task_name: Message,
    /// The component in which it happened; empty if that is not known.
    pub component: Message,
    /// The version of that component's crate.
    pub version: Message,
    /// The function in which it happened; empty if that is not known.
    pub function: Message,
    /// Offset in the function.
    pub offset: u64,
    /// The address of the instruction.
    pub instruction: u64,
    /// The same, as it is named elsewhere and after the text is gone; `None` outside of all texts.
    pub place: Option<CodePlace>,
    /// File and line, with a colon between; empty if they are not known. Of what the compiler has inlined
    /// from the toolchain's own libraries, the line that used it.
    pub location: Message,
    /// What happened.
    pub failure: Failure,
    /// Whether it happened in the handler of a device's interrupt.
    pub in_interrupt_handler: bool,
    /// What was done about it so far.
    pub action: Action,
    /// After how many nanoseconds things were as they should be again: the task had arrived at its catch,
    /// or, if somebody answers for it, its successor ran.
    pub recovery_ns: Option<u64>,
}

/// What was done about a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It has been reported.
    Reported,
    /// The task was unwound to its catch.
    Unwound,
    /// The interrupt handler was ended, and what it had interrupted went on.
    HandlerEnded,
    /// The task was restarted.
    Restarted,
    /// The component was loaded anew, and the task restarted.
    Reloaded,
    /// The task was restarted too often already.
    GivenUp,
}

impl Action {
    /// The action in a few words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::Unwound => "unwound",
            Self::HandlerEnded => "handler ended",
            Self::Restarted => "restarted",
            Self::Reloaded => "reloaded",
            Self::GivenUp => "given up",
        }
    }

    /// Whether there is nothing left to be done after it.
    const fn recovers(self) -> bool {
        !matches!(self, Self::Reported | Self::GivenUp)
    }
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

/// Keeps `record`, in place of the oldest one if there are too many, and numbers it. Not when this CPU
/// is using the list: then it is only counted.
pub(crate) fn keep(mut record: FaultRecord) {
    record.number = TOTAL.fetch_add(1, Ordering::Relaxed) + 1;
    let Some(mut records) = RECORDS.lock_unless_ours() else {
        return;
    };
    if records.len() >= KEPT {
        records.pop_front();
    }
    records.push_back(record);
}

/// Notes what was done about the last fault of `task`; its number. The time until then counts as that of
/// the recovery, if the action is one. `None` when the task has no fault that is kept.
pub fn note_action(task: TaskId, action: Action) -> Option<u64> {
    let now_ns = task::now_ns();
    let mut records = RECORDS.lock_unless_ours()?;
    let record = records
        .iter_mut()
        .rev()
        .find(|record| record.task == task)?;
    record.action = action;
    record.recovery_ns = action
        .recovers()
        .then(|| now_ns.saturating_sub(record.time_ns));
    Some(record.number)
}

/// An unwinding has arrived.
pub(crate) fn arrived(task: TaskId, forgotten: u32) {
    if forgotten > 0 {
        log::warn!(
            "task {task} was killed and came to no safe point: what {forgotten} of its functions owned is \
             lost, and the ends of channels among it stay open"
        );
    }
    if let Some(mut records) = RECORDS.lock_unless_ours() {
        let now_ns = task::now_ns();
        // Failures in its drops have arrived with the first one.
        let open =
            |record: &&mut FaultRecord| record.task == task && record.action == Action::Reported;
        for record in records.iter_mut().filter(open) {
            record.action = Action::Unwound;
            record.recovery_ns = Some(now_ns.saturating_sub(record.time_ns));
        }
    }
}

/// The last faults, the oldest first.
#[must_use]
pub fn records() -> Vec<FaultRecord> {
    let mut kept = Vec::with_capacity(KEPT);
    kept.extend(RECORDS.lock().iter().take(KEPT).cloned());
    for record in &mut kept {
        record.resolve();
    }
    kept
}

impl FaultRecord {
    /// The lines that the instruction comes from, the innermost first: each was inlined into the next one.
    ///
    /// # Errors
    ///
    /// When they are not known.
    pub fn lines(&self) -> Result<Vec<String>, NoLines> {
        let mut lines = Vec::new();
        let place = self.place.ok_or(NoLines::NoLine)?;
        loader::lines_of(place, &mut |line| lines.push(line.to_string()))?;
        Ok(lines)
    }

    /// Names function and line, if nobody could when the fault happened.
    fn resolve(&mut self) {
        let Some(place) = self.place else {
            return;
        };
        if self.location.as_str().is_empty() {
            self.location = symbol::best_line(place);
        }
        // The text may have gone since, and another lie there.
        if !self.function.as_str().is_empty() || CodePlace::of(self.instruction) != Some(place) {
            return;
        }
        if let Some(location) = loader::resolve(self.instruction) {
            self.function = Message::new(&location.function);
            self.offset = location.offset;
        }
    }
}

/// How many faults there were since the system's start.
#[must_use]
pub fn total_records() -> u64 {
    TOTAL.load(Ordering::Relaxed)
}
