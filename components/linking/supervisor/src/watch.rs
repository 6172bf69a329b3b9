//! Looking after the tasks.
//!
//! A supervisor may be ended by a fault itself, anywhere in here. So the end of a task stays to be seen until
//! the task is made again, and what is to be done about it is noted before anything that could fail.

use alloc::{string::String, sync::Arc, vec::Vec};
use core::time::Duration;
use faults::Action;
use mutex::Mutex;
use task::{Failure, Supervised, TaskId};

/// How long a supervisor sleeps between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Looks after which lost tasks are looked for.
const LOOKS_FOR_LOST: u32 = 5;

/// Looks after a fault at which all blocked tasks are woken.
const LOOKS_AFTER_FAULT: u32 = 10;

/// What is known of the failures of one task.
struct Case {
    supervised: Arc<Supervised>,
    /// When it failed, in the window.
    failures_ns: Vec<u64>,
    /// The components in which it did.
    components: Vec<String>,
    /// When it is to be restarted, and whose fault this answers.
    due: Option<(u64, TaskId)>,
    /// Whether a component was loaded anew for the restart that is due.
    reloaded: bool,
}

/// All that has failed.
struct Cases {
    cases: Vec<Case>,
    /// Tasks that looked lost at the last look for such.
    lost: [Option<TaskId>; 16],
}

#[used]
static CASES: Mutex<Cases> = Mutex::new(Cases {
    cases: Vec::new(),
    lost: [None; 16],
});

/// The body of both supervisors.
pub(crate) fn run() {
    let mut looks = 0_u32;
    let mut faults_seen = 0;
    let mut looks_after_fault = 0;
    loop {
        task::sleep(PAUSE);
        looks = looks.wrapping_add(1);
        let faults = faults::total_records() + faults::forced_ends();
        if faults != faults_seen {
            faults_seen = faults;
            looks_after_fault = LOOKS_AFTER_FAULT;
        }
        if looks_after_fault > 0 {
            looks_after_fault -= 1;
            task::wake_blocked();
        }
        // The other one is looking, then.
        let Some(mut cases) = CASES.try_lock() else {
            // Its task may have ended in there; waiting takes the mutex over.
            if looks.is_multiple_of(LOOKS_FOR_LOST) {
                drop(CASES.lock());
            }
            continue;
        };
        cases.look();
        if looks.is_multiple_of(LOOKS_FOR_LOST) {
            let requeued = task::requeue_lost(&mut cases.lost);
            if requeued > 0 {
                log::warn!("{requeued} runnable tasks were in no queue");
            }
        }
    }
}

impl Cases {
    fn look(&mut self) {
        let now_ns = task::now_ns();
        for supervised in task::supervised() {
            match supervised.end() {
                Some((_, Ok(()))) => self.close(&supervised),
                Some((id, Err(failure))) if !self.is_noted(id) => {
                    self.failed(&supervised, id, &failure, now_ns);
                }
                _ => {}
            }
        }
        for case in &mut self.cases {
            case.restart_if_due(now_ns);
        }
        self.cases.retain(|case| !case.failures_ns.is_empty());
    }

    /// Whether the restart that answers the end of the task `id` is due already.
    fn is_noted(&self, id: TaskId) -> bool {
        let mut dues = self.cases.iter().filter_map(|case| case.due);
        dues.any(|(_, noted)| noted == id)
    }

    /// The task has come to its end.
    fn close(&mut self, supervised: &Arc<Supervised>) {
        self.cases
            .retain(|case| !Arc::ptr_eq(&case.supervised, supervised));
        supervised.dismiss();
    }

    fn failed(&mut self, supervised: &Arc<Supervised>, id: TaskId, failure: &Failure, now_ns: u64) {
        let known = self
            .cases
            .iter()
            .position(|case| Arc::ptr_eq(&case.supervised, supervised));
        let index = known.unwrap_or_else(|| {
            self.cases.push(Case::new(supervised));
            self.cases.len() - 1
        });
        if let Some(case) = self.cases.get_mut(index) {
            case.failed(id, failure, now_ns);
        }
    }
}

impl Case {
    fn new(supervised: &Arc<Supervised>) -> Self {
        Self {
            supervised: Arc::clone(supervised),
            failures_ns: Vec::new(),
            components: Vec::new(),
            due: None,
            reloaded: false,
        }
    }

    fn failed(&mut self, id: TaskId, failure: &Failure, now_ns: u64) {
        let policy = self.supervised.restart_policy();
        let name = self.supervised.name();
        let window_ns = nanoseconds(policy.window);
        self.failures_ns
            .retain(|failed_ns| now_ns.saturating_sub(*failed_ns) < window_ns);
        if self.failures_ns.is_empty() {
            self.components.clear();
        }
        self.failures_ns.push(now_ns);
        let count = u32::try_from(self.failures_ns.len()).unwrap_or(u32::MAX);
        if count > policy.most {
            log::error!(
                "{name} is given up after {} restarts, the last time ended by {failure}",
                policy.most
            );
            faults::note_action(id, Action::GivenUp);
            self.supervised.dismiss();
            self.failures_ns.clear();
            return;
        }
        let doublings = (count - 1).min(20);
        let pause = policy.first_pause.saturating_mul(1 << doublings);
        let pause_ns = nanoseconds(pause.min(policy.longest_pause));
        // First of all: if what follows ends this supervisor, the other one goes on from here.
        self.due = Some((now_ns.saturating_add(pause_ns), id));
        self.reloaded = false;
        self.reloaded = self.reload(id);
    }

    /// Loads the component anew in which the task `id` faulted, if it has faulted there before; whether
    /// it did.
    fn reload(&mut self, id: TaskId) -> bool {
        let records = faults::records();
        let Some(record) = records.iter().rev().find(|record| record.task == id) else {
            return false;
        };
        let component = String::from(record.component.as_str());
        if component.is_empty() {
            return false;
        }
        let before = self.components.iter().filter(|it| **it == component);
        let again = before.count() == 1;
        self.components.push(component.clone());
        if !again {
            return false;
        }
        let report = swap::reload(&component);
        match report.refused {
            None => {
                log::warn!("{component} has been loaded anew");
                true
            }
            Some(refusal) => {
                log::warn!("{component} cannot be loaded anew: {refusal}");
                false
            }
        }
    }

    fn restart_if_due(&mut self, now_ns: u64) {
        let Some((_, id)) = self.due.filter(|(due_ns, _)| *due_ns <= now_ns) else {
            return;
        };
        if self.supervised.id() != Some(id) {
            // It has been, by a supervisor that did not come to say so.
            self.due = None;
            return;
        }
        let name = self.supervised.name();
        match self.supervised.restart() {
            Ok(()) => {
                self.due = None;
                log::warn!("{name} has been restarted");
                let action = if self.reloaded {
                    Action::Reloaded
                } else {
                    Action::Restarted
                };
                faults::note_action(id, action);
            }
            // At the next look there may be memory again.
            Err(error) => log::error!("{name} cannot be restarted: {error}"),
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
