//! The queue of futures that can go on.

use crate::Handle;
use alloc::{collections::VecDeque, sync::Arc};
use async_task::Runnable;
use core::{
    fmt,
    future::Future,
    mem,
    sync::atomic::{AtomicUsize, Ordering},
};
use cpu::IrqMutex;
use task::{Failure, JoinHandle, KillDeferral, SpawnError};
use wait_queue::WaitQueue;

/// Futures, and the tasks that run them. When the last clone is dropped, so are the futures.
#[derive(Clone)]
pub struct Executor {
    shared: Arc<Shared>,
    _owner: Arc<Owner>,
}

/// Closes the executor when it is dropped.
struct Owner {
    shared: Arc<Shared>,
}

struct Shared {
    ready: IrqMutex<Ready>,
    /// Where tasks without work sleep.
    work: WaitQueue,
    /// Futures that have not ended.
    live: AtomicUsize,
}

/// Futures that can go on.
#[derive(Default)]
struct Ready {
    queue: VecDeque<Runnable>,
    /// Nobody will run them.
    closed: bool,
}

impl Executor {
    /// An executor without futures.
    #[must_use]
    pub fn new() -> Self {
        let shared = Arc::new(Shared {
            ready: IrqMutex::new(Ready::default()),
            work: WaitQueue::new(),
            live: AtomicUsize::new(0),
        });
        Self {
            _owner: Arc::new(Owner {
                shared: Arc::clone(&shared),
            }),
            shared,
        }
    }

    /// Adds a future.
    pub fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Handle<T> {
        // A future that was counted and never queued would never end.
        let _whole = KillDeferral::new();
        let live = Live::new(&self.shared);
        let counted = async move {
            let _live = live;
            future.await
        };
        let shared = Arc::clone(&self.shared);
        let schedule = move |runnable| shared.schedule(runnable);
        let (runnable, task) = async_task::spawn(counted, schedule);
        runnable.schedule();
        Handle::new(task.fallible())
    }

    /// Runs futures in the current task until all have ended. A safe point.
    pub fn run(&self) {
        loop {
            let ran = task::catch(&mut || self.shared.run_ready());
            match ran {
                // Reported already; its future is closed, and who waits for it knows.
                Err(
                    Failure::Panic { .. }
                    | Failure::Exception { .. }
                    | Failure::StackOverflow { .. }
                    | Failure::StackMemory { .. },
                ) => {}
                Err(failure) => task::unwind(failure),
                Ok(()) if self.is_idle() => return,
                Ok(()) => self
                    .shared
                    .work
                    .wait(|| self.shared.has_ready() || self.is_idle()),
            }
        }
    }

    /// Makes a task of this name that runs futures until all have ended.
    ///
    /// # Errors
    ///
    /// When there is no memory for its stack.
    pub fn start(&self, name: &str) -> Result<JoinHandle, SpawnError> {
        let executor = self.clone();
        task::spawn(name, move || executor.run())
    }

    /// Whether all futures have ended.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.shared.live.load(Ordering::Acquire) == 0
    }
}

impl Default for Executor {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor")
            .field("live", &self.shared.live.load(Ordering::Relaxed))
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// Adds a future that can go on. Called by wakers, in interrupt handlers, too.
    fn schedule(&self, runnable: Runnable) {
        let mut ready = self.ready.lock();
        if !ready.closed {
            // There is room: see `Live::new`.
            ready.queue.push_back(runnable);
            drop(ready);
            self.work.wake_one();
            return;
        }
        drop(ready);
        if cpu::interrupt_nesting() == 0 {
            drop(runnable); // With the future, which nobody will run.
        } else {
            // A handler cannot run anybody's drops. The future leaks.
            mem::forget(runnable);
        }
    }

    fn run_ready(&self) {
        loop {
            let runnable = self.ready.lock().queue.pop_front();
            let Some(runnable) = runnable else { return };
            runnable.run();
            task::safe_point();
        }
    }

    fn has_ready(&self) -> bool {
        !self.ready.lock().queue.is_empty()
    }
}

/// A future that lives. While it does, the queue has room for it.
struct Live {
    shared: Arc<Shared>,
}

impl Live {
    fn new(shared: &Arc<Shared>) -> Self {
        let live = shared.live.fetch_add(1, Ordering::AcqRel) + 1;
        let this = Self {
            shared: Arc::clone(shared),
        };
        loop {
            let room = shared.ready.lock().queue.capacity();
            // A future is in the queue once at most.
            if room >= live {
                return this;
            }
            let mut larger = VecDeque::with_capacity((2 * live).max(16));
            let mut ready = shared.ready.lock();
            if ready.queue.capacity() < larger.capacity() {
                larger.append(&mut ready.queue);
                mem::swap(&mut ready.queue, &mut larger);
            }
            drop(ready);
            drop(larger); // Not under the lock.
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if self.shared.live.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.shared.work.wake_all();
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let queue = {
            let mut ready = self.shared.ready.lock();
            ready.closed = true;
            mem::take(&mut ready.queue)
        };
        drop(queue); // Not under the lock: that drops the futures.
    }
}
