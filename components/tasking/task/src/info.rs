//! The table of all tasks, and what `ps` shows of them.

use crate::{Priority, State, Task, TaskId, queue::Table, task::Kind};
use alloc::{string::String, sync::Arc, vec::Vec};
use core::sync::atomic::Ordering;
use cpu::{CpuId, IrqMutex};

#[used]
static TABLE: IrqMutex<Table> = IrqMutex::new(Table::new());

/// A look at a task.
#[derive(Clone, Debug)]
pub struct TaskInfo {
    /// Its number.
    pub id: TaskId,
    /// Its name.
    pub name: String,
    /// The component for which it works.
    pub component: String,
    /// Whether it is what its CPU does when nothing else is to be done.
    pub is_idle: bool,
    /// How much it matters.
    pub priority: Priority,
    /// What it was doing.
    pub state: State,
    /// The CPU that it runs on, or ran on last.
    pub cpu: CpuId,
    /// Time that CPUs spent in it.
    pub cpu_ns: u64,
    /// Size of its stack in bytes.
    pub stack_size: u64,
    /// Bytes of its stack in use when it last gave up a CPU.
    pub stack_used: u64,
    /// Whether it has been asked to end.
    pub killed: bool,
}

/// Puts a new task in the table.
pub(crate) fn enter(task: &Arc<Task>) {
    // Refused only when it is in already.
    let _ = TABLE.lock().push_back(Arc::clone(task));
}

/// Takes an ended task out.
pub(crate) fn leave(task: &Task) {
    let removed = TABLE.lock().take_out(task);
    drop(removed);
}

/// The task with this number, if it has not ended.
#[must_use]
pub fn find(id: TaskId) -> Option<Arc<Task>> {
    TABLE
        .lock()
        .iter()
        .find(|task| task.id() == id)
        .map(Task::reference)
}

/// A look at every task that has not ended, in the order in which they were made.
#[must_use]
pub fn tasks() -> Vec<TaskInfo> {
    all().iter().map(|task| look(task)).collect()
}

/// Clears what a policy has kept in the tasks. In a rendezvous: nobody parks with the table's lock.
pub(crate) fn clear_policy_words() {
    for task in TABLE.lock().iter() {
        task.clear_policy_words();
    }
}

/// Shows `visit` all tasks. In a rendezvous: nobody parks with the table's lock.
pub(crate) fn for_each(visit: impl FnMut(&Task)) {
    TABLE.lock().iter().for_each(visit);
}

/// References to all tasks.
///
/// The table's lock keeps interrupts off, so the memory is reserved before it is taken.
pub(crate) fn all() -> Vec<Arc<Task>> {
    let mut wanted = 16;
    loop {
        let mut found = Vec::with_capacity(wanted);
        let table = TABLE.lock();
        let mut count = 0;
        for task in table.iter() {
            count += 1;
            if found.len() < found.capacity() {
                found.push(task.reference());
            }
        }
        drop(table);
        if count <= found.len() {
            return found;
        }
        wanted = count + 4;
    }
}

fn look(task: &Task) -> TaskInfo {
    let range = task.stack_range();
    let cycles = task.cycles.load(Ordering::Relaxed) + running_cycles(task);
    TaskInfo {
        id: task.id(),
        name: task.name().into(),
        component: task.component().into(),
        is_idle: task.kind == Kind::Idle,
        priority: task.priority(),
        state: task.state(),
        cpu: task.cpu(),
        cpu_ns: clock::ticks_to_ns(cycles),
        stack_size: range.len(),
        stack_used: range
            .end
            .saturating_sub(task.saved_stack_pointer())
            .min(range.len()),
        killed: task.is_killed(),
    }
}

/// Ticks since the last switch, if the task runs. The CPU may switch meanwhile; then they are a few too
/// many or none.
fn running_cycles(task: &Task) -> u64 {
    match cpu::local_of(task.cpu()) {
        Some(local) if task.is_running() => {
            let since = local.switched_at.load(Ordering::Relaxed);
            cpu::timestamp().saturating_sub(since)
        }
        _ => 0,
    }
}

/// Whether there is a task with this number that has not ended.
#[must_use]
pub fn is_alive(id: TaskId) -> bool {
    TABLE.lock().iter().any(|task| task.id() == id)
}
