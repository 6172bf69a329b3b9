//! Interrupt state as a guard, and the lock that holds it.

use core::{
    ops::{Deref, DerefMut},
    sync::atomic::{AtomicU32, Ordering},
};

use spin::mutex::{SpinMutex, SpinMutexGuard};
use x86_64::instructions::interrupts;

use crate::{
    CpuId,
    local::{LOCK_CPU, lock_token},
    local_of, poll_requests,
};

/// `IrqMutex::holder` when nobody holds the lock.
const NOBODY: u32 = u32::MAX;

/// Whether this CPU takes maskable interrupts now.
#[must_use]
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
    were_enabled: bool,
    /// A guard belongs to the CPU that made it.
    not_send: core::marker::PhantomData<*mut ()>,
}

impl InterruptsOff {
    /// Turns interrupts off.
    #[inline]
    pub fn new() -> Self {
        let were_enabled = interrupts::are_enabled();
        if were_enabled {
            interrupts::disable();
        }
        Self {
            were_enabled,
            not_send: core::marker::PhantomData,
        }
    }

    /// Whether interrupts were on before.
    #[must_use]
    pub fn were_enabled(&self) -> bool {
        self.were_enabled
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
        if self.were_enabled {
            interrupts::enable();
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
#[derive(Debug)]
pub struct IrqMutex<T: ?Sized> {
    /// The name under which a CPU holds the lock, to tell a deadlock, and a lock that was abandoned,
    /// from waiting.
    holder: AtomicU32,
    value: SpinMutex<T>,
}

impl<T> IrqMutex<T> {
    /// A free lock around `value`.
    pub const fn new(value: T) -> Self {
        Self {
            holder: AtomicU32::new(NOBODY),
            value: SpinMutex::new(value),
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
        loop {
            if let Some(guard) = self.try_lock() {
                return guard;
            }
            self.check_not_ours();
            self.spin();
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
        let value = self.value.try_lock().unwrap_or_else(|| self.wait());
        self.holder.store(lock_token(), Ordering::Relaxed);
        BareGuard {
            holder: &self.holder,
            value,
        }
    }

    #[track_caller]
    #[cold]
    #[inline(never)]
    fn wait(&self) -> SpinMutexGuard<'_, T> {
        loop {
            self.check_not_ours();
            self.spin();
            if let Some(value) = self.value.try_lock() {
                return value;
            }
        }
    }

    /// Takes the lock if it is free.
    #[inline]
    pub fn try_lock(&self) -> Option<IrqGuard<'_, T>> {
        let interrupts = InterruptsOff::new();
        let value = self.value.try_lock()?;
        self.holder.store(lock_token(), Ordering::Relaxed);
        Some(IrqGuard {
            holder: &self.holder,
            value,
            _interrupts: interrupts,
        })
    }

    /// Waits until the lock looks free.
    #[cold]
    #[inline(never)]
    fn spin(&self) {
        while self.value.is_locked() {
            if self.take_from_nobody() {
                return;
            }
            poll_requests();
            core::hint::spin_loop();
        }
    }

    /// Releases the lock if it was abandoned; whether it was.
    fn take_from_nobody(&self) -> bool {
        let holder = self.holder.load(Ordering::Relaxed);
        let name = |cpu| Some(local_of(CpuId(cpu))?.lock_token.load(Ordering::Relaxed));
        if holder == NOBODY || name(holder & LOCK_CPU) == Some(holder) {
            return false;
        }
        // Only one of those who wait sees the word change.
        let changed =
            self.holder
                .compare_exchange(holder, NOBODY, Ordering::Relaxed, Ordering::Relaxed);
        if changed.is_err() {
            return false;
        }
        // SAFETY: the CPU that took the lock under this name holds none under it any more, so no guard
        // of it is left that would be used or dropped, and nobody else has taken it meanwhile.
        unsafe { self.value.force_unlock() };
        ABANDONED.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// Whether this CPU holds the lock.
    ///
    /// The holder keeps interrupts off and so stays on its CPU: if it is this one, it can only be
    /// the caller itself, or the code that the caller interrupted by an exception.
    fn is_ours(&self) -> bool {
        let _off = InterruptsOff::new();
        self.holder.load(Ordering::Relaxed) == lock_token()
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

/// The right to use what an [`IrqMutex`] protects; interrupts are off while it lives.
#[must_use]
pub struct IrqGuard<'a, T: ?Sized> {
    // Dropped in this order: the lock is released before interrupts come back.
    holder: &'a AtomicU32,
    value: SpinMutexGuard<'a, T>,
    _interrupts: InterruptsOff,
}

impl<T: ?Sized> Deref for IrqGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: ?Sized> DerefMut for IrqGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: ?Sized> Drop for IrqGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.holder.store(NOBODY, Ordering::Relaxed);
    }
}

/// The right to use what an [`IrqMutex`] protects, for code that has interrupts off by itself.
#[must_use]
pub struct BareGuard<'a, T: ?Sized> {
    holder: &'a AtomicU32,
    value: SpinMutexGuard<'a, T>,
}

impl<T: ?Sized> Deref for BareGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: ?Sized> DerefMut for BareGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: ?Sized> Drop for BareGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // Before the value's own guard releases the lock.
        self.holder.store(NOBODY, Ordering::Relaxed);
    }
}
