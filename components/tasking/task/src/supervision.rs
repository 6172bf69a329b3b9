//! Tasks that somebody answers for: how to make them again when a fault has ended them.
//!
//! Here they are only registered; who looks after them and when one is given up is the supervisor's
//! business, a component above this one.

use crate::{Builder, Failure, JoinHandle, SpawnError, TaskId};
use alloc::{string::String, sync::Arc, vec::Vec};
use core::time::Duration;
use cpu::IrqMutex;

/// How a task is restarted: after a pause that doubles from one restart to the next, and not more than
/// so often in so much time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restart {
    /// Restarts in [`Restart::window`] after which it is given up.
    pub most: u32,
    /// The time that these are counted over.
    pub window: Duration,
    /// The pause before the first restart of a window.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
}

impl Restart {
    /// For a task of the system's own: at once, then with pauses of up to a second; given up after 20
    /// in a minute.
    pub const SYSTEM: Self = Self {
        most: 20,
        window: Duration::from_secs(60),
        first_pause: Duration::from_millis(1),
        longest_pause: Duration::from_secs(1),
    };
}

/// A task that is made again when a fault has ended it, from a function that can be entered anew.
pub struct Supervised {
    name: String,
    builder: Builder,
    body: fn(),
    restart: Restart,
    handle: IrqMutex<Option<JoinHandle>>,
}

#[used]
static REGISTRY: IrqMutex<Vec<Arc<Supervised>>> = IrqMutex::new(Vec::new());

impl Builder {
    /// Makes the task and lets it run `body`, and again if a fault ends it, as `restart` says. `body`
    /// must be a function of a component that stays loaded. When it returns, that is the end.
    ///
    /// # Errors
    ///
    /// When there is no memory for its stack.
    pub fn supervise(self, restart: Restart, body: fn()) -> Result<Arc<Supervised>, SpawnError> {
        let handle = self.clone().spawn(body)?;
        let supervised = Arc::new(Supervised {
            name: String::from(handle.task().name()),
            builder: self,
            body,
            restart,
            handle: IrqMutex::new(Some(handle)),
        });
        loop {
            let wanted = REGISTRY.lock().len() + 1;
            // Not under the lock: memory may be short.
            let mut larger = Vec::with_capacity(2 * wanted);
            let mut registry = REGISTRY.lock();
            if registry.len() < larger.capacity() {
                larger.append(&mut registry);
                larger.push(Arc::clone(&supervised));
                core::mem::swap(&mut *registry, &mut larger);
                drop(registry);
                return Ok(supervised);
            }
        }
    }
}

/// All tasks that somebody answers for.
#[must_use]
pub fn supervised() -> Vec<Arc<Supervised>> {
    let mut found = Vec::with_capacity(REGISTRY.lock().len());
    let registry = REGISTRY.lock();
    let room = found.capacity();
    found.extend(registry.iter().take(room).cloned());
    found
}

impl Supervised {
    /// The task's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it is restarted.
    #[must_use]
    pub const fn restart_policy(&self) -> Restart {
        self.restart
    }

    /// The number of the task that runs, or ran last.
    #[must_use]
    pub fn id(&self) -> Option<TaskId> {
        self.handle.lock().as_ref().map(JoinHandle::id)
    }

    /// How the task ended, if it has. The answer stays the same until the task is made again, so it is not
    /// lost with a task that has asked for it and ends itself.
    #[must_use]
    pub fn end(&self) -> Option<(TaskId, Result<(), Failure>)> {
        let handle = self.handle.lock();
        let handle = handle.as_ref()?;
        Some((handle.id(), handle.result()?))
    }

    /// Makes the task again.
    ///
    /// # Errors
    ///
    /// When there is no memory for its stack.
    pub fn restart(&self) -> Result<(), SpawnError> {
        let fresh = self.builder.clone().spawn(self.body)?;
        let before = self.handle.lock().replace(fresh);
        drop(before);
        Ok(())
    }

    /// Nobody answers for the task any more; one that runs goes on.
    pub fn dismiss(&self) {
        let mut registry = REGISTRY.lock();
        let mut all = registry.iter();
        let index = all.position(|other| core::ptr::eq(&raw const **other, self));
        let dismissed = index.map(|index| registry.remove(index));
        drop(registry);
        drop(dismissed);
    }
}
