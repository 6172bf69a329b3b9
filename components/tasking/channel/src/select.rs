//! Waiting for several channels at once.

use crate::{Receiver, Sender, shared::Shared, state::Side};
use alloc::{sync::Arc, vec::Vec};
use core::{fmt, task::Waker, time::Duration};
use task::{Kicked, Waiter};

/// Which operation of a [`Select`], by the order in which they were added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation(pub usize);

/// Operations on channels, of which the first that need not wait is wanted.
///
/// [`Select::ready`] says which one that is and does nothing: its caller then tries it, and waits
/// again when somebody else was faster. So nothing is taken that nobody has asked for.
///
/// ```ignore
/// let mut select = Select::new();
/// let request = select.receive(&requests);
/// let end = select.receive(&ends);
/// loop {
///     let ready = select.ready();
///     if ready == request && let Ok(request) = requests.try_receive() {
///         serve(request);
///     }
/// }
/// ```
#[derive(Default)]
pub struct Select<'a> {
    operations: Vec<Entry<'a>>,
    /// Where the next look begins, so that no operation is overlooked for ever.
    first: usize,
}

struct Entry<'a> {
    end: &'a dyn End,
    side: Side,
    /// Its place in the channel's queue.
    waiter: Arc<Waiter>,
}

/// A channel, whatever its values are.
trait End {
    fn is_ready(&self, side: Side) -> bool;
    fn enlist(&self, side: Side, waiter: &Arc<Waiter>);
    fn delist(&self, side: Side, waiter: &Waiter);
}

impl<T> End for Shared<T> {
    fn is_ready(&self, side: Side) -> bool {
        self.is_ready(side)
    }

    fn enlist(&self, side: Side, waiter: &Arc<Waiter>) {
        self.enlist(side, waiter);
    }

    fn delist(&self, side: Side, waiter: &Waiter) {
        self.delist(side, waiter);
    }
}

impl<'a> Select<'a> {
    /// No operations.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            operations: Vec::new(),
            first: 0,
        }
    }

    /// Adds receiving from a channel. It is ready when a value is there or the channel is closed.
    pub fn receive<T>(&mut self, receiver: &'a Receiver<T>) -> Operation {
        self.add(&*receiver.shared, Side::Receive)
    }

    /// Adds sending to a channel. It is ready when there is room, in a rendezvous channel somebody who
    /// receives, or the channel is closed.
    pub fn send<T>(&mut self, sender: &'a Sender<T>) -> Operation {
        self.add(&*sender.shared, Side::Send)
    }

    fn add(&mut self, end: &'a dyn End, side: Side) -> Operation {
        self.operations.push(Entry {
            end,
            side,
            waiter: Arc::new(Waiter::new()),
        });
        Operation(self.operations.len() - 1)
    }

    /// An operation that need not wait now.
    pub fn try_ready(&mut self) -> Option<Operation> {
        let count = self.operations.len();
        let found = (self.first..count).chain(0..self.first).find(|at| {
            let entry = self.operations.get(*at);
            entry.is_some_and(|entry| entry.end.is_ready(entry.side))
        })?;
        self.first = found + 1;
        Some(Operation(found))
    }

    /// Waits until an operation need not wait. A safe point if it has to wait; without operations it
    /// waits for ever.
    pub fn ready(&mut self) -> Operation {
        loop {
            if let Some(ready) = task::restart(|| self.ready_kickable(None)) {
                return ready;
            }
        }
    }

    /// The same for `timeout` at most; `None` when that was not long enough.
    pub fn ready_timeout(&mut self, timeout: Duration) -> Option<Operation> {
        let deadline_ns = wait_queue::deadline_ns(timeout);
        task::restart(|| self.ready_kickable(Some(deadline_ns)))
    }

    /// The same, up to a time.
    ///
    /// # Errors
    ///
    /// When the task is on hold and would have to wait.
    pub fn ready_kickable(
        &mut self,
        deadline_ns: Option<u64>,
    ) -> Result<Option<Operation>, Kicked> {
        if let Some(ready) = self.try_ready() {
            return Ok(Some(ready));
        }
        let Some(me) = task::current() else {
            core::hint::spin_loop();
            return Ok(None);
        };
        let waker = Waker::from(Arc::clone(&me));
        loop {
            wait_queue::check_may_block();
            let enlisted = Enlisted::new(&self.operations, &waker);
            // Something may have come before all places were taken.
            let look = self.operations.iter().all(|it| !it.end.is_ready(it.side));
            if look && !me.must_leave() {
                task::block_until(deadline_ns);
            }
            task::safe_point();
            drop(enlisted);
            if let Some(ready) = self.try_ready() {
                return Ok(Some(ready));
            }
            if task::kicked() {
                return Err(Kicked);
            }
            if deadline_ns.is_some_and(|deadline_ns| task::now_ns() >= deadline_ns) {
                return Ok(None);
            }
        }
    }
}

impl fmt::Debug for Select<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Select")
            .field("operations", &self.operations.len())
            .finish_non_exhaustive()
    }
}

/// A task that is in the queues of all its operations. Dropping it takes it out, also when it is
/// unwound.
struct Enlisted<'a, 'b>(&'a [Entry<'b>]);

impl<'a, 'b> Enlisted<'a, 'b> {
    fn new(entries: &'a [Entry<'b>], waker: &Waker) -> Self {
        for entry in entries {
            entry.waiter.set_waker(waker);
            entry.end.enlist(entry.side, &entry.waiter);
        }
        Self(entries)
    }
}

impl Drop for Enlisted<'_, '_> {
    fn drop(&mut self) {
        for entry in self.0 {
            entry.end.delist(entry.side, &entry.waiter);
        }
    }
}
