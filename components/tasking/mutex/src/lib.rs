//! Blocking locks that know their owners: a mutex, and a lock for many readers or one writer.
//!
//! A task that waits for it sleeps. Its guard releases it when dropped, also when the owner is
//! unwound; then the value may be half changed, and the mutex is *poisoned*. The policy: a poisoned
//! mutex can still be locked, because a system that goes on after faults must not lose every part
//! that a fault touched. [`Mutex::lock`] is for values that are right after every single change;
//! who must put the value right first uses [`Mutex::lock_checked`], which tells. The flag stays
//! until [`MutexGuard::clear_poison`].
//!
//! Because the owner is known, a task that locks what it holds is told so by a panic instead of
//! sleeping for ever, and a mutex whose owner ended without releasing it (its unwinding failed) is
//! taken over by the next who wants it, poisoned.
//!
//! `spin` locks are no alternative here: a task may be unwound or preempted holding one.
//!
//! Waiting can be kicked ([`task::Hold`]). Who holds a lock is not waited for by a hold: it stands still with
//! it, and so do those who want it.
//!
//! Neighbours: `wait_queue` below; `sync` has what waits without owning anything. Left out: fairness.
#![no_std]

mod rwlock;
mod words;

/// What `words` is made of; the models of it have another one.
mod atomic {
    pub(crate) use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
}

pub use rwlock::{ReadGuard, RwLock, WriteGuard};

use core::{
    any::type_name,
    cell::UnsafeCell,
    fmt,
    marker::PhantomData,
    ops::{Deref, DerefMut},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use task::{Kicked, LockRank, TaskId};
use wait_queue::WaitQueue;
use words::{NOBODY, OwnerWord};

/// How often a waiting task looks whether the owner still lives: one that does wakes it.
const OWNER_CHECK: Duration = Duration::from_secs(1);

/// A value that one task at a time may use.
pub struct Mutex<T: ?Sized> {
    owner: OwnerWord,
    poisoned: AtomicBool,
    /// Its place in the order of locks.
    rank: Option<LockRank>,
    waiting: WaitQueue,
    value: UnsafeCell<T>,
}

// SAFETY: sending the mutex sends the value.
unsafe impl<T: ?Sized + Send> Send for Mutex<T> {}
// SAFETY: the value is only reached through a guard, of which there is one at a time; with it, it
// may be moved to another task.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}

impl<T> Mutex<T> {
    /// A free mutex around `value`.
    pub const fn new(value: T) -> Self {
        Self::with_rank(value, None)
    }

    /// A free mutex around `value` that is taken in the order of ranks: a task that holds a lock of this
    /// rank, or a lower one, and wants it is told so by a panic.
    pub const fn ranked(rank: LockRank, value: T) -> Self {
        Self::with_rank(value, Some(rank))
    }

    const fn with_rank(value: T, rank: Option<LockRank>) -> Self {
        Self {
            owner: OwnerWord::new(),
            poisoned: AtomicBool::new(false),
            rank,
            waiting: WaitQueue::new(),
            value: UnsafeCell::new(value),
        }
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Waits for the mutex and takes it, poisoned or not. A safe point if it has to wait.
    ///
    /// # Panics
    ///
    /// When the current task holds the mutex already, or a lock that is to be taken after it.
    #[track_caller]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        if let Some(guard) = self.acquire_from(NOBODY) {
            return guard;
        }
        self.check_not_ours();
        task::restart(|| self.lock_kickable())
    }

    /// As [`Mutex::lock`].
    ///
    /// # Errors
    ///
    /// When the task is on hold and would have to wait.
    ///
    /// # Panics
    ///
    /// When the current task holds the mutex already.
    #[track_caller]
    pub fn lock_kickable(&self) -> Result<MutexGuard<'_, T>, Kicked> {
        self.check_not_ours();
        wait_for(&self.waiting, || self.try_lock())
    }

    /// Waits for the mutex and takes it. A safe point if it has to wait.
    ///
    /// # Errors
    ///
    /// Gives the guard inside an error when an owner was unwound while it held the mutex.
    ///
    /// # Panics
    ///
    /// When the current task holds the mutex already.
    #[track_caller]
    pub fn lock_checked(&self) -> Result<MutexGuard<'_, T>, Poisoned<'_, T>> {
        let guard = self.lock();
        if self.is_poisoned() {
            Err(Poisoned(guard))
        } else {
            Ok(guard)
        }
    }

    /// Takes the mutex if it is free, or its owner has ended without releasing it; poisoned or not.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.acquire_from(NOBODY).or_else(|| self.take_over())
    }

    /// The task that holds the mutex.
    #[must_use]
    pub fn owner(&self) -> Option<TaskId> {
        self.owner.get().map(TaskId)
    }

    /// Whether an owner was unwound while it held the mutex.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Relaxed)
    }

    /// The value, without locking, since `self` cannot be shared.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// Takes the mutex from an owner that has ended without releasing it.
    #[cold]
    fn take_over(&self) -> Option<MutexGuard<'_, T>> {
        let owner = self.owner.get()?;
        if task::is_alive(TaskId(owner)) {
            return None;
        }
        let guard = self.acquire_from(owner)?;
        self.poisoned.store(true, Ordering::Relaxed);
        Some(guard)
    }

    fn acquire_from(&self, before: u64) -> Option<MutexGuard<'_, T>> {
        if !self.owner.take(before, me()) {
            return None;
        }
        self.note_rank();
        Some(MutexGuard {
            mutex: self,
            unwinding: unwindings(),
            not_send: PhantomData,
        })
    }

    /// Looks at the order of locks. The mutex is taken, so a panic releases it first.
    #[track_caller]
    #[inline]
    fn note_rank(&self) {
        let Some(rank) = self.rank else { return };
        let entered = task::with_current(|task| task.enter_rank(rank)).unwrap_or(Ok(()));
        if let Err(held) = entered {
            self.owner.release();
            self.waiting.wake_one();
            out_of_order(type_name::<T>(), rank, held);
        }
    }

    #[track_caller]
    fn check_not_ours(&self) {
        if self.owner.get() == Some(me()) {
            locked_twice("mutex", type_name::<T>());
        }
    }
}

/// Waits until `attempt` succeeds, which looks for owners that have ended: nobody wakes for those.
fn wait_for<T>(queue: &WaitQueue, mut attempt: impl FnMut() -> Option<T>) -> Result<T, Kicked> {
    loop {
        let deadline_ns = wait_queue::deadline_ns(OWNER_CHECK);
        if let Some(value) = queue.wait_until_kickable(deadline_ns, &mut attempt)? {
            return Ok(value);
        }
    }
}

/// The current task wants a lock that it holds.
#[track_caller]
#[cold]
#[expect(clippy::panic, reason = "the alternative is to sleep for ever")]
fn locked_twice(kind: &str, value: &str) -> ! {
    let me = task::current();
    let name = me.as_ref().map_or("init", |task| task.name());
    panic!(
        "{kind} of {value} locked twice by task {} \"{name}\"",
        self::me()
    )
}

/// The current task wants a lock that it may not take while it holds another.
#[track_caller]
#[cold]
#[expect(
    clippy::panic,
    reason = "two tasks that do so would wait for each other"
)]
fn out_of_order(value: &str, rank: LockRank, held: LockRank) -> ! {
    let me = task::current();
    let name = me.as_ref().map_or("init", |task| task.name());
    panic!(
        "mutex of {value}, rank {rank}, wanted by task {} \"{name}\" that holds a lock of rank {held}",
        self::me()
    )
}

/// The current task's number; before there are tasks the first one's.
fn me() -> u64 {
    task::with_current(|task| task.id().0).unwrap_or(0)
}

/// How many times the current task is being unwound.
fn unwindings() -> u32 {
    task::with_current(|task| task.unwinding()).unwrap_or(0)
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: ?Sized> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mutex")
            .field("owner", &self.owner())
            .field("poisoned", &self.is_poisoned())
            .finish_non_exhaustive()
    }
}

/// The right to use a mutex's value. Dropping it releases the mutex.
#[must_use]
pub struct MutexGuard<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
    /// Unwindings under way when the mutex was taken: more of them at the drop poison it, but a
    /// drop that locks while its task is being unwound does not.
    unwinding: u32,
    /// A guard belongs to the task that made it.
    not_send: PhantomData<*mut ()>,
}

// SAFETY: a shared guard gives shared access to the value, no more.
unsafe impl<T: ?Sized + Sync> Sync for MutexGuard<'_, T> {}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// Whether an owner was unwound while it held the mutex.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.mutex.is_poisoned()
    }

    /// Says that the value is right again.
    pub fn clear_poison(&mut self) {
        self.mutex.poisoned.store(false, Ordering::Relaxed);
    }

    /// The mutex that this is the guard of.
    #[must_use]
    pub const fn mutex(&self) -> &'a Mutex<T> {
        self.mutex
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the guard's task owns the mutex, so nobody else reaches the value.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, and the guard cannot be used otherwise meanwhile.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        if unwindings() > self.unwinding {
            self.mutex.poisoned.store(true, Ordering::Relaxed);
        }
        if let Some(rank) = self.mutex.rank {
            task::with_current(|task| task.leave_rank(rank));
        }
        self.mutex.owner.release();
        self.mutex.waiting.wake_one();
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

/// A guard, with the news that an owner was unwound while it held the mutex.
pub struct Poisoned<'a, T: ?Sized>(MutexGuard<'a, T>);

impl<'a, T: ?Sized> Poisoned<'a, T> {
    /// The guard; the mutex stays poisoned until [`MutexGuard::clear_poison`].
    pub fn into_guard(self) -> MutexGuard<'a, T> {
        self.0
    }
}

impl<T: ?Sized> fmt::Debug for Poisoned<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Poisoned")
    }
}

impl<T: ?Sized> fmt::Display for Poisoned<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a task was unwound while it held the mutex")
    }
}

impl<T: ?Sized> core::error::Error for Poisoned<'_, T> {}
