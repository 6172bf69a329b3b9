//! Kicking blocked calls out of the code that they wait in, so that it can be replaced with its state.
//!
//! A call that would block, or is blocked, while its task is on hold returns [`Kicked`] instead,
//! having taken nothing and left nothing. Every frame between the wait and [`restart`] hands that on,
//! and `restart`, which is compiled into the *caller* of the component that waits, calls it again from
//! its start when the hold is over. Meanwhile the task stands in this crate, and the stack above
//! `restart` is empty.

use crate::{Task, block, has_requests, info, kill, requests, safe_point, with_current};
use alloc::{sync::Arc, vec::Vec};
use core::{fmt, sync::atomic::Ordering};

/// A wait was given up, because the task is on hold: the call is to be made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kicked;

impl fmt::Display for Kicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the wait was given up: the task is on hold")
    }
}

impl core::error::Error for Kicked {}

/// Whether the current task is on hold and should give up what it waits for.
#[must_use]
#[inline]
pub fn kicked() -> bool {
    has_requests() && is_kicked()
}

#[cold]
fn is_kicked() -> bool {
    requests::look();
    with_current(|task| task.requests.to_stand_still()).unwrap_or(false)
}

impl Task {
    /// Whether the task is to leave what it waits in: it has been killed, or is on hold.
    #[must_use]
    pub fn must_leave(&self) -> bool {
        kill::due(self) || self.requests.to_stand_still()
    }
}

/// Makes `call`, again whenever it is kicked. A safe point if it is.
///
/// A public function that blocks is this around the one that does the work, and inlined into its
/// callers, so that its own component is left when it is kicked.
#[inline]
pub fn restart<T>(mut call: impl FnMut() -> Result<T, Kicked>) -> T {
    loop {
        match call() {
            Ok(value) => return value,
            Err(Kicked) => stand_still(),
        }
    }
}

/// Waits until the current task is not on hold any more. A safe point.
pub fn stand_still() {
    let set = |stands| with_current(|task| task.stands_still.store(stands, Ordering::SeqCst));
    while kicked() {
        set(true);
        block();
        set(false);
        safe_point();
    }
}

/// While this value lives, its tasks stand still instead of blocking anywhere else, and blocked calls
/// of theirs that can be restarted are. Dropping it lets them go on.
#[must_use]
pub struct Hold {
    tasks: Vec<Arc<Task>>,
}

impl Hold {
    /// Puts the tasks that are `wanted` on hold, but for the current one.
    pub fn new(wanted: impl Fn(&Task) -> bool) -> Self {
        let mut tasks = info::all();
        let me = with_current(|me| me.id());
        tasks.retain(|task| Some(task.id()) != me && wanted(task));
        for task in &tasks {
            task.ask_to_stand_still();
            task.unblock();
        }
        Self { tasks }
    }

    /// The tasks on hold that do not stand still yet: they run, or wait in a call that cannot be
    /// restarted.
    pub fn moving(&self) -> impl Iterator<Item = &Arc<Task>> {
        let moves = |task: &&Arc<Task>| {
            !task.stands_still.load(Ordering::SeqCst) && task.state() != crate::State::Ended
        };
        self.tasks.iter().filter(moves)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.let_go_on();
            task.unblock();
        }
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hold")
            .field("tasks", &self.tasks.len())
            .finish()
    }
}
