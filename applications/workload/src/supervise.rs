//! Running a workload until it comes out right.

use crate::workloads::Workload;
use alloc::sync::Arc;
use core::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use mutex::Mutex;
use task::{Builder, JoinHandle};

/// How often a workload is tried.
const ATTEMPTS: u32 = 8;

/// How long an attempt may take before its task is ended: many times what it takes.
const PATIENCE: Duration = Duration::from_millis(40);

/// How long an ended task may take until it is really gone.
const PATIENCE_WITH_END: Duration = Duration::from_millis(400);

/// How often the supervisor looks.
const GLANCE: Duration = Duration::from_millis(2);

/// Not an answer of any workload.
const NO_ANSWER: u64 = u64::MAX;

/// What came of a workload.
#[derive(Default)]
pub(crate) struct Outcome {
    /// Whether the last attempt gave the right answer.
    pub(crate) correct: bool,
    /// How many there were.
    pub(crate) attempts: u32,
    /// How many were ended because they took too long.
    pub(crate) killed: u32,
    /// How many did not end even so.
    pub(crate) abandoned: u32,
    /// How often the supervisor itself failed.
    pub(crate) failures: u32,
    /// What all of them took.
    pub(crate) ns: u64,
}

/// How often a supervisor that has failed is replaced.
const SUPERVISORS: u32 = 4;

/// Runs `workload` until it comes out right, or has been tried often enough. That is done by a supervisor, a
/// task of its own, and by another one if that fails itself.
pub(crate) fn supervise(workload: &'static Workload, marks: bool) -> Outcome {
    let begin = task::now_ns();
    let mut outcome = Outcome::default();
    for _ in 0..SUPERVISORS {
        let found = Arc::new(Mutex::new(None));
        let to = Arc::clone(&found);
        let supervisor = Builder::new("supervision").spawn(move || {
            let found = try_often(workload, marks);
            *to.lock() = Some(found);
        });
        let ended = supervisor.map(|supervisor| {
            supervisor.wait_through_faults();
            supervisor.join()
        });
        let told = found.lock().take();
        if let (Ok(Ok(())), Some(told)) = (ended, told) {
            outcome = Outcome {
                attempts: outcome.attempts + told.attempts,
                failures: outcome.failures + told.failures,
                ..told
            };
            break;
        }
        outcome.attempts += 1;
        outcome.failures += 1;
    }
    outcome.ns = task::now_ns().saturating_sub(begin);
    outcome
}

/// The supervisor.
fn try_often(workload: &'static Workload, marks: bool) -> Outcome {
    let mut outcome = Outcome::default();
    while !outcome.correct && outcome.attempts < ATTEMPTS {
        outcome.attempts += 1;
        // Its own failure ends an attempt and not the supervisor.
        let mut correct = false;
        let failed = task::catch(&mut || correct = attempt(workload, marks, &mut outcome)).is_err();
        outcome.correct = correct;
        outcome.failures += u32::from(failed);
    }
    outcome
}

/// Whether one attempt comes out right.
fn attempt(workload: &'static Workload, marks: bool, outcome: &mut Outcome) -> bool {
    let answer = Arc::new(AtomicU64::new(NO_ANSWER));
    let to = Arc::clone(&answer);
    let worker = Builder::new(workload.name).spawn(move || {
        if marks {
            injector::begin();
        }
        // An answer is right or wrong; a failure is none, and so wrong.
        if let Some(found) = (workload.run)() {
            to.store(found, Ordering::SeqCst);
        }
        if marks {
            injector::end();
        }
    });
    let Ok(worker) = worker else {
        task::sleep(GLANCE);
        return false;
    };
    if !ends_within(&worker, PATIENCE) {
        outcome.killed += 1;
        // Refused only when it has just ended.
        let _ = task::kill(worker.id());
        if !ends_within(&worker, PATIENCE_WITH_END) {
            outcome.abandoned += 1;
            return false;
        }
    }
    worker.join().is_ok() && answer.load(Ordering::SeqCst) == workload.answer
}

fn ends_within(worker: &JoinHandle, limit: Duration) -> bool {
    let nanoseconds = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
    let deadline_ns = task::now_ns().saturating_add(nanoseconds);
    while !worker.is_over() {
        if task::now_ns() >= deadline_ns {
            return false;
        }
        task::sleep(GLANCE);
    }
    true
}
