//! Interrupt state as a guard, and the lock that holds it.

use core::{
    arch::asm,
    cell::UnsafeCell,
    fmt,
    mem::ManuallyDrop,
    ops::{Deref, DerefMut},
    sync::atomic::{AtomicU32, Ordering},
};

use x86_64::{
    instructions::interrupts,
    registers::rflags::{self, RFlags},
};

use crate::{
    CpuId,
    holder::{Holder, NOBODY},
    local::{LOCK_CPU, lock_token},
    local_of, poll_requests,
};

/// Whether this CPU takes maskable interrupts now.
#[must_use]
#[inline]
pub fn interrupts_enabled() -> bool {
    interrupts::are_enabled()
}

/// Lets this CPU take maskable interrupts from now on.
pub fn enable_interrupts() {
    interrupts::enable();
}

/// Runs `f` with maskable interrupts off, then restores what was before.
pub fn without_interrupts<T>(f: impl FnOnce() -> T) -> T {
    let _off = InterruptsOff::new();
    f()
}

/// Enables interrupts and stops the CPU until one has been handled, without losing one between.
pub fn wait_for_interrupt() {
    interrupts::enable_and_hlt();
}

/// Stops this CPU for ever.
pub fn halt() -> ! {
    interrupts::disable();
    loop {
        x86_64::instructions::hlt();
    }
}

/// Interrupts are off on this CPU while this value lives; dropping it restores what was before.
#[must_use]
#[derive(Debug)]
pub struct InterruptsOff {
    /// The interrupt flag as it was, where it lies in the flags; 0 for off.
    before: u64,
    /// A guard belongs to the CPU that made it.
    not_send: core::marker::PhantomData<*mut ()>,
}

impl InterruptsOff {
    /// Turns interrupts off.
    #[inline]
    pub fn new() -> Self {
        let before = rflags::read_raw() & RFlags::INTERRUPT_FLAG.bits();
        if before != 0 {
            interrupts::disable();
        }
        Self {
            before,
            not_send: core::marker::PhantomData,
        }
    }

    /// Whether interrupts were on before.
    #[must_use]
    #[inline]
    pub fn were_enabled(&self) -> bool {
        self.before != 0
    }
}

impl Default for InterruptsOff {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for InterruptsOff {
    #[inline]
    fn drop(&mut self) {
        if self.before != 0 {
            // Without the instruction that `interrupts::enable` has after it: before whoever turns
            // interrupts off next, there is the look whether they are on.
            // SAFETY: interrupts were on when the value was made, so who made it lets them be.
            unsafe { asm!("sti", options(preserves_flags, nostack)) };
        }
    }
}

/// Locks that were taken over.
#[used]
static ABANDONED: AtomicU32 = AtomicU32::new(0);

/// How many locks were abandoned by a fault and taken over since the system's start.
#[must_use]
pub fn abandoned_locks() -> u32 {
    ABANDONED.load(Ordering::Relaxed)
}

/// A spin lock that keeps interrupts off while it is held, so that an interrupt handler may take it.
///
/// A lock whose holder faulted without releasing it is *abandoned*: once its CPU has arrived where it
/// can hold none, the next who wants it takes it over, and it is counted ([`abandoned_locks`]). What it
/// protects may then be half changed.
///
/// For short sections without blocking. While it waits, interrupts are as the caller had them; with
/// interrupts off it does what other CPUs ask of this one.
pub struct IrqMutex<T: ?Sized> {
    /// The name under which a CPU holds the lock, to tell a deadlock, and a lock that was abandoned,
    /// from waiting.
    holder: Holder,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached through `&self` only by whoever holds the lock, which one CPU does at a
// time; it is moved or dropped where the lock is.
unsafe impl<T: ?Sized + Send> Send for IrqMutex<T> {}
// SAFETY: as above; the value goes from one CPU to another by the lock, so it must be `Send`.
unsafe impl<T: ?Sized + Send> Sync for IrqMutex<T> {}

impl<T> IrqMutex<T> {
    /// A free lock around `value`.
    pub const fn new(value: T) -> Self {
        Self {
            holder: Holder::nobody(),
            value: UnsafeCell::new(value),
        }
    }
}

impl<T: ?Sized> IrqMutex<T> {
    /// Waits for the lock and takes it.
    ///
    /// # Panics
    ///
    /// When this CPU holds the lock already: it would wait for ever.
    #[track_caller]
    #[inline]
    pub fn lock(&self) -> IrqGuard<'_, T> {
        match self.try_lock() {
            Some(guard) => guard,
            None => self.wait(),
        }
    }

    #[track_caller]
    #[cold]
    #[inline(never)]
    fn wait(&self) -> IrqGuard<'_, T> {
        loop {
            self.check_not_ours();
            self.spin();
            if let Some(guard) = self.try_lock() {
                return guard;
            }
        }
    }

    /// Waits for the lock and takes it, unless this CPU holds it already: for code that runs in
    /// exceptions, which may hit anywhere.
    pub fn lock_unless_ours(&self) -> Option<IrqGuard<'_, T>> {
        loop {
            if let Some(guard) = self.try_lock() {
                return Some(guard);
            }
            if self.is_ours() {
                return None;
            }
            self.spin();
        }
    }

    /// As [`IrqMutex::lock`] for code that has interrupts off already, and keeps them off as long as the
    /// guard lives: it does not save and restore that.
    ///
    /// # Panics
    ///
    /// When this CPU holds the lock already.
    #[track_caller]
    #[inline]
    pub fn lock_bare(&self) -> BareGuard<'_, T> {
        match self.try_lock_bare() {
            Some(guard) => guard,
            None => self.wait_bare(),
        }
    }

    #[track_caller]
    #[cold]
    #[inline(never)]
    fn wait_bare(&self) -> BareGuard<'_, T> {
        loop {
            self.check_not_ours();
            self.spin();
            if let Some(guard) = self.try_lock_bare() {
                return guard;
            }
        }
    }

    /// As [`IrqMutex::lock_bare`], if it is free.
    #[inline]
    pub fn try_lock_bare(&self) -> Option<BareGuard<'_, T>> {
        // Not a value that would be dropped, and with it the lock of somebody else, if it was not free.
        if self.take() {
            Some(BareGuard { lock: self })
        } else {
            None
        }
    }

    /// Takes the lock if it is free.
    #[inline]
    pub fn try_lock(&self) -> Option<IrqGuard<'_, T>> {
        let interrupts = InterruptsOff::new();
        if self.take() {
            Some(IrqGuard {
                lock: self,
                interrupts,
            })
        } else {
            None
        }
    }

    /// As [`IrqMutex::lock`], for who has interrupts off already: they become as they were before that when
    /// the guard is dropped.
    ///
    /// # Panics
    ///
    /// When this CPU holds the lock already.
    #[track_caller]
    #[inline]
    pub fn lock_within(&self, interrupts: InterruptsOff) -> IrqGuard<'_, T> {
        if self.take() {
            return IrqGuard {
                lock: self,
                interrupts,
            };
        }
        drop(interrupts);
        self.wait()
    }

    /// Takes the lock for this CPU if it is free; interrupts must be off.
    #[inline]
    fn take(&self) -> bool {
        self.holder.take(lock_token())
    }

    /// Releases the lock; the caller's guard is not used any more.
    #[inline]
    fn release(&self) {
        self.holder.release();
    }

    /// Waits until the lock looks free.
    #[cold]
    #[inline(never)]
    fn spin(&self) {
        while self.holder.get() != NOBODY {
            if self.take_from_nobody() {
                return;
            }
            poll_requests();
            core::hint::spin_loop();
        }
    }

    /// Releases the lock if it was abandoned; whether it was. The CPU that took it under its name holds
    /// none under that any more, so no guard is left that would be used or dropped.
    fn take_from_nobody(&self) -> bool {
        let holder = self.holder.get();
        let name = |cpu| Some(local_of(CpuId(cpu))?.lock_token.load(Ordering::Relaxed));
        if holder == NOBODY || name(holder & LOCK_CPU) == Some(holder) {
            return false;
        }
        // Only one of those who wait sees the word change.
        if !self.holder.release_from(holder) {
            return false;
        }
        ABANDONED.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// Whether this CPU holds the lock.
    ///
    /// The holder keeps interrupts off and so stays on its CPU: if it is this one, it can only be
    /// the caller itself, or the code that the caller interrupted by an exception.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        let _off = InterruptsOff::new();
        self.holder.get() == lock_token()
    }

    #[track_caller]
    #[cold]
    #[inline(never)]
    #[expect(clippy::panic, reason = "the alternative is a silent deadlock")]
    fn check_not_ours(&self) {
        if self.is_ours() {
            panic!("lock taken twice by {}", crate::current_cpu());
        }
    }

    /// The value, without locking, since `self` cannot be shared.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for IrqMutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("IrqMutex");
        match self.try_lock() {
            Some(value) => shown.field("value", &&*value),
            None => shown.field("value", &format_args!("<locked>")),
        };
        shown.finish_non_exhaustive()
    }
}

/// The right to use what an [`IrqMutex`] protects; interrupts are off while it lives.
#[must_use]
pub struct IrqGuard<'a, T: ?Sized> {
    lock: &'a IrqMutex<T>,
    /// Dropped after the lock has been released.
    interrupts: InterruptsOff,
}

impl<T: ?Sized> IrqGuard<'_, T> {
    /// Whether interrupts were on before the lock was taken.
    #[must_use]
    #[inline]
    pub fn were_enabled(guard: &Self) -> bool {
        guard.interrupts.were_enabled()
    }

    /// Releases the lock, and leaves interrupts off.
    #[inline]
    pub fn unlock(guard: Self) -> InterruptsOff {
        let guard = ManuallyDrop::new(guard);
        guard.lock.release();
        InterruptsOff {
            before: guard.interrupts.before,
            not_send: core::marker::PhantomData,
        }
    }
}

impl<T: ?Sized> Deref for IrqGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: who has the guard holds the lock.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> DerefMut for IrqGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: who has the guard holds the lock, and has it alone.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T: ?Sized> Drop for IrqGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.release();
    }
}

/// The right to use what an [`IrqMutex`] protects, for code that has interrupts off by itself.
#[must_use]
pub struct BareGuard<'a, T: ?Sized> {
    lock: &'a IrqMutex<T>,
}

impl<T: ?Sized> Deref for BareGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: who has the guard holds the lock.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> DerefMut for BareGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: who has the guard holds the lock, and has it alone.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T: ?Sized> Drop for BareGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.release();
    }
}
