//! Ending a task from outside.
//!
//! A killed task unwinds itself at a safe point, where nothing is half done: when it blocks, yields, sleeps
//! or uses a stream, and where it asks ([`safe_point`]). One that comes to none is ended at a timer tick,
//! and then nothing is dropped that its application's functions own: safe code counts on being left only
//! by calls, and a drop of what it was just changing could free what is somebody else's by now.

use crate::{Failure, Task, TaskId, find, has_requests, hooks, requests, task::Kind, with_current};
use core::{fmt, sync::atomic::Ordering};

/// Why a task could not be killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KillError {
    /// There is no such task (any more).
    NoSuchTask(TaskId),
    /// The system depends on the task.
    Essential(TaskId),
}

impl fmt::Display for KillError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchTask(id) => write!(f, "there is no task {id}"),
            Self::Essential(id) => write!(f, "task {id} cannot be killed: the system needs it"),
        }
    }
}

impl core::error::Error for KillError {}

/// Asks a task to end. It does so at its next safe point; a blocked task is woken for it.
///
/// # Errors
///
/// When there is no such task or the system depends on it.
pub fn kill(id: TaskId) -> Result<(), KillError> {
    let task = find(id).ok_or(KillError::NoSuchTask(id))?;
    if task.kind != Kind::Ordinary {
        return Err(KillError::Essential(id));
    }
    task.ask_to_end();
    task.unblock();
    Ok(())
}

/// Whether a kill of `task` may be carried out now: not while its drops run, nor while it asks for
/// a delay.
#[inline]
pub(crate) fn due(task: &Task) -> bool {
    task.is_killed() && !task.is_unwinding() && task.kill_deferrals.load(Ordering::Relaxed) == 0
}

/// Chances to come to a safe point that a killed task is given, in interrupts that could preempt it.
const CHANCES: u32 = 10;

/// The same in a component's code. A component that comes to no safe point in so many ticks of the task's own
/// time (120 ms) is taken to hang, and is left as by an exception.
const LAST_CHANCES: u32 = 3 * CHANCES;

/// Where a task may be unwound from where it was interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overdue {
    /// Nowhere.
    No,
    /// In an application's text, whose functions drop nothing then.
    InApplication,
    /// Anywhere, as by an exception: it loops in a component. It holds no interrupt-safe lock, since those
    /// keep away the interrupt that this is asked in; what else it holds, its callers' drops release.
    Anywhere,
}

/// Whether `task` has had its chances to come to a safe point.
pub(crate) fn overdue(task: &Task) -> Overdue {
    if !due(task) {
        return Overdue::No;
    }
    match task.chances.fetch_add(1, Ordering::Relaxed) {
        LAST_CHANCES.. => Overdue::Anywhere,
        CHANCES.. => Overdue::InApplication,
        _ => Overdue::No,
    }
}

/// Whether the current task has been killed and should make for a safe point.
#[must_use]
#[inline]
pub fn killed() -> bool {
    with_current(|task| due(task)).unwrap_or(false)
}

/// A point where the current task may be unwound: does not return if the task was killed.
#[inline]
pub fn safe_point() {
    if has_requests() {
        end_if_due();
    }
}

#[cold]
fn end_if_due() {
    requests::look();
    if killed() {
        end_killed();
    }
}

#[cold]
#[inline(never)]
fn end_killed() -> ! {
    hooks::unwind(Failure::Killed)
}

/// While this value lives, a kill of the task that made it waits: for work that must not stop half
/// way.
#[must_use]
#[derive(Debug)]
pub struct KillDeferral {
    /// A deferral belongs to the task that made it.
    not_send: core::marker::PhantomData<*mut ()>,
}

impl KillDeferral {
    /// Defers kills of the current task.
    pub fn new() -> Self {
        with_current(|task| task.kill_deferrals.fetch_add(1, Ordering::Relaxed));
        Self {
            not_send: core::marker::PhantomData,
        }
    }
}

impl Default for KillDeferral {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for KillDeferral {
    fn drop(&mut self) {
        with_current(|task| task.kill_deferrals.fetch_sub(1, Ordering::Relaxed));
    }
}
