//! A blocking lock for many readers or one writer.

use crate::{
    locked_twice, me, unwindings, wait_for,
    words::{OwnerWord, RwWord},
};
use core::{
    any::type_name,
    cell::UnsafeCell,
    fmt,
    marker::PhantomData,
    ops::{Deref, DerefMut},
    ptr,
    sync::atomic::{AtomicBool, Ordering},
};
use task::{Kicked, TaskId};
use wait_queue::WaitQueue;

/// A value that many tasks may read at a time, or one change.
///
/// A writer that waits keeps further readers out, but for tasks that read it already: those would
/// wait for themselves. Poisoning is that of [`crate::Mutex`], by a writer that was unwound.
pub struct RwLock<T: ?Sized> {
    word: RwWord,
    writer: OwnerWord,
    poisoned: AtomicBool,
    readers_waiting: WaitQueue,
    writers_waiting: WaitQueue,
    value: UnsafeCell<T>,
}

// SAFETY: sending the lock sends the value.
unsafe impl<T: ?Sized + Send> Send for RwLock<T> {}
// SAFETY: readers share the value, so it must be `Sync`; a writer has it alone and may move it to its
// task, so it must be `Send`.
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLock<T> {}

impl<T> RwLock<T> {
    /// A free lock around `value`.
    pub const fn new(value: T) -> Self {
        Self {
            word: RwWord::new(),
            writer: OwnerWord::new(),
            poisoned: AtomicBool::new(false),
            readers_waiting: WaitQueue::new(),
            writers_waiting: WaitQueue::new(),
            value: UnsafeCell::new(value),
        }
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Waits until nobody writes or waits to write, and takes the lock for reading, poisoned or not. A
    /// safe point if it has to wait.
    ///
    /// # Panics
    ///
    /// When the current task writes.
    #[track_caller]
    pub fn read(&self) -> ReadGuard<'_, T> {
        if let Some(guard) = self.try_read() {
            return guard;
        }
        self.check_not_writing();
        task::restart(|| self.read_kickable())
    }

    /// As [`RwLock::read`].
    ///
    /// # Errors
    ///
    /// When the task is on hold and would have to wait.
    pub fn read_kickable(&self) -> Result<ReadGuard<'_, T>, Kicked> {
        wait_for(&self.readers_waiting, || self.try_read())
    }

    /// Waits until nobody uses the lock, and takes it for writing, poisoned or not. A safe point if it
    /// has to wait.
    ///
    /// # Panics
    ///
    /// When the current task reads or writes.
    #[track_caller]
    pub fn write(&self) -> WriteGuard<'_, T> {
        if let Some(guard) = self.try_write() {
            return guard;
        }
        self.check_not_writing();
        if self.is_read_by_us() {
            locked_twice("reader-writer lock", type_name::<T>());
        }
        task::restart(|| self.write_kickable())
    }

    /// As [`RwLock::write`].
    ///
    /// # Errors
    ///
    /// When the task is on hold and would have to wait.
    pub fn write_kickable(&self) -> Result<WriteGuard<'_, T>, Kicked> {
        let waiting = WaitingWriter::new(self);
        let guard = wait_for(&self.writers_waiting, || self.try_write());
        drop(waiting);
        guard
    }

    /// Takes the lock for reading if nobody writes or waits to write, or a writer has ended without releasing
    /// it; poisoned or not.
    pub fn try_read(&self) -> Option<ReadGuard<'_, T>> {
        let enter = || self.word.try_read(self.is_read_by_us());
        let entered = enter() || self.take_from_ended() && enter();
        if !entered {
            return None;
        }
        let held = task::with_current(|task| task.hold_shared(self.address())).unwrap_or(false);
        Some(ReadGuard {
            lock: self,
            held,
            not_send: PhantomData,
        })
    }

    /// Takes the lock for writing if nobody uses it, or a writer has ended without releasing it; poisoned or
    /// not.
    pub fn try_write(&self) -> Option<WriteGuard<'_, T>> {
        let enter = || self.word.try_write();
        let entered = enter() || self.take_from_ended() && enter();
        if !entered {
            return None;
        }
        self.writer.set(me());
        Some(WriteGuard {
            lock: self,
            unwinding: unwindings(),
            not_send: PhantomData,
        })
    }

    /// The task that writes.
    #[must_use]
    pub fn writer(&self) -> Option<TaskId> {
        self.writer.get().map(TaskId)
    }

    /// Whether a writer was unwound.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Relaxed)
    }

    /// Says that the value is right again.
    pub fn clear_poison(&self) {
        self.poisoned.store(false, Ordering::Relaxed);
    }

    /// The value, without locking, since `self` cannot be shared.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// Frees the lock, poisoned, from a writer that has ended without releasing it; whether there was one.
    #[cold]
    fn take_from_ended(&self) -> bool {
        let Some(writer) = self.writer.get() else {
            return false;
        };
        // Taken from it before it is given back, so that only one does.
        let ended = !task::is_alive(TaskId(writer)) && self.writer.take(writer, me());
        if ended {
            self.poisoned.store(true, Ordering::Relaxed);
            self.writer.release();
            self.word.end_write();
            self.wake();
        }
        ended
    }

    fn address(&self) -> usize {
        ptr::from_ref(self).addr()
    }

    fn is_read_by_us(&self) -> bool {
        task::with_current(|task| task.holds_shared(self.address())).unwrap_or(false)
    }

    #[track_caller]
    fn check_not_writing(&self) {
        if self.writer.get() == Some(me()) {
            locked_twice("reader-writer lock", type_name::<T>());
        }
    }

    /// The lock has become free, or freer.
    fn wake(&self) {
        if self.word.writers_wait() {
            self.writers_waiting.wake_one();
        } else {
            self.readers_waiting.wake_all();
        }
    }
}

/// A task that waits to write. When it gives up, those that it kept out are let in.
struct WaitingWriter<'a, T: ?Sized>(&'a RwLock<T>);

impl<'a, T: ?Sized> WaitingWriter<'a, T> {
    fn new(lock: &'a RwLock<T>) -> Self {
        lock.word.expect_writer();
        Self(lock)
    }
}

impl<T: ?Sized> Drop for WaitingWriter<'_, T> {
    fn drop(&mut self) {
        if self.0.word.forget_writer() {
            self.0.readers_waiting.wake_all();
        }
    }
}

/// The right to read a lock's value. Dropping it gives that up.
#[must_use]
pub struct ReadGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
    /// Whether the task has noted that it reads.
    held: bool,
    /// A guard belongs to the task that made it.
    not_send: PhantomData<*mut ()>,
}

// SAFETY: a shared guard gives shared access to the value, no more.
unsafe impl<T: ?Sized + Sync> Sync for ReadGuard<'_, T> {}

impl<T: ?Sized> ReadGuard<'_, T> {
    /// Whether a writer was unwound.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.lock.is_poisoned()
    }
}

impl<T: ?Sized> Deref for ReadGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: as long as there is a reader, nobody writes.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> Drop for ReadGuard<'_, T> {
    fn drop(&mut self) {
        if self.held {
            task::with_current(|task| task.release_shared(self.lock.address()));
        }
        if self.lock.word.end_read() {
            self.lock.wake();
        }
    }
}

/// The right to change a lock's value. Dropping it gives that up.
#[must_use]
pub struct WriteGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
    /// As in [`crate::MutexGuard`].
    unwinding: u32,
    not_send: PhantomData<*mut ()>,
}

// SAFETY: a shared guard gives shared access to the value, no more.
unsafe impl<T: ?Sized + Sync> Sync for WriteGuard<'_, T> {}

impl<T: ?Sized> WriteGuard<'_, T> {
    /// Whether a writer was unwound.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.lock.is_poisoned()
    }
}

impl<T: ?Sized> Deref for WriteGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the guard's task has the value alone.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> DerefMut for WriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, and the guard cannot be used otherwise meanwhile.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T: ?Sized> Drop for WriteGuard<'_, T> {
    fn drop(&mut self) {
        if unwindings() > self.unwinding {
            self.lock.poisoned.store(true, Ordering::Relaxed);
        }
        self.lock.writer.release();
        self.lock.word.end_write();
        self.lock.wake();
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: ?Sized> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RwLock")
            .field("writer", &self.writer())
            .field("poisoned", &self.is_poisoned())
            .finish_non_exhaustive()
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for ReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for WriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
