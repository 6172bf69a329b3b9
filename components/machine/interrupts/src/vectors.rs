//! Who handles which vector.

use core::{
    fmt, ptr,
    sync::atomic::{AtomicPtr, AtomicU64, Ordering},
};

use crate::TrapHandler;

/// Vectors below this one are exceptions of the CPU.
pub const EXCEPTIONS: u8 = 32;
/// First vector that [`allocate`] gives out. The 16 below it are where a legacy interrupt
/// controller, masked as it is, may still deliver spurious interrupts.
pub const FIRST_DEVICE_VECTOR: u8 = 0x30;
/// Last vector that [`allocate`] gives out. Those above are for `apic`'s own use.
pub const LAST_DEVICE_VECTOR: u8 = 0xEF;

/// A [`TrapHandler`] each, or null: read at every interrupt on every CPU, so without a lock.
#[used]
static HANDLERS: [AtomicPtr<()>; 256] = [const { AtomicPtr::new(ptr::null_mut()) }; 256];
#[used]
static COUNTS: [AtomicU64; 256] = [const { AtomicU64::new(0) }; 256];
#[used]
static UNHANDLED: AtomicU64 = AtomicU64::new(0);

/// A vector's handler; dropping it unregisters.
#[must_use]
#[derive(Debug)]
pub struct Registration {
    vector: u8,
}

impl Registration {
    /// The vector.
    #[must_use]
    pub fn vector(&self) -> u8 {
        self.vector
    }

    /// Keeps the handler for ever.
    pub fn leak(self) -> u8 {
        let vector = self.vector;
        core::mem::forget(self);
        vector
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if let Some(slot) = HANDLERS.get(usize::from(self.vector)) {
            slot.store(ptr::null_mut(), Ordering::Release);
        }
    }
}

/// Why a vector could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VectorError {
    /// The vector has a handler already.
    Taken {
        /// The vector.
        vector: u8,
    },
    /// All vectors for devices have handlers.
    Exhausted,
}

impl fmt::Display for VectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken { vector } => write!(f, "interrupt vector {vector} has a handler already"),
            Self::Exhausted => write!(
                f,
                "all interrupt vectors from {FIRST_DEVICE_VECTOR} to {LAST_DEVICE_VECTOR} are taken"
            ),
        }
    }
}

impl core::error::Error for VectorError {}

/// Makes `handler` the handler of `vector`, which may be an exception.
pub fn register(vector: u8, handler: TrapHandler) -> Result<Registration, VectorError> {
    let taken = VectorError::Taken { vector };
    let slot = HANDLERS.get(usize::from(vector)).ok_or(taken)?;
    let handler = handler as *mut ();
    slot.compare_exchange(
        ptr::null_mut(),
        handler,
        Ordering::Release,
        Ordering::Relaxed,
    )
    .map_err(|_| taken)?;
    Ok(Registration { vector })
}

/// Makes `handler` the handler of a free vector.
pub fn allocate(handler: TrapHandler) -> Result<Registration, VectorError> {
    (FIRST_DEVICE_VECTOR..=LAST_DEVICE_VECTOR)
        .find_map(|vector| register(vector, handler).ok())
        .ok_or(VectorError::Exhausted)
}

/// How often `vector` was entered since boot.
#[must_use]
pub fn count(vector: u8) -> u64 {
    COUNTS
        .get(usize::from(vector))
        .map_or(0, |count| count.load(Ordering::Relaxed))
}

/// How many interrupts of devices had no handler.
#[must_use]
pub fn unhandled() -> u64 {
    UNHANDLED.load(Ordering::Relaxed)
}

/// The handler of `vector`, which is counted as entered.
pub(crate) fn enter(vector: u8) -> Option<TrapHandler> {
    let index = usize::from(vector);
    if let Some(count) = COUNTS.get(index) {
        count.fetch_add(1, Ordering::Relaxed);
    }
    let handler = HANDLERS.get(index)?.load(Ordering::Acquire);
    if handler.is_null() {
        return None;
    }
    // SAFETY: a word that is not null was made from a `TrapHandler` by `register`.
    Some(unsafe { core::mem::transmute::<*mut (), TrapHandler>(handler) })
}

pub(crate) fn count_unhandled() {
    UNHANDLED.fetch_add(1, Ordering::Relaxed);
}
