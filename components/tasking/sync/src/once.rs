//! A value that is made once.

use core::{convert::Infallible, fmt};
use mutex::Mutex;
use spin::Once;

/// A value that the first who wants it makes, while others that want it sleep.
///
/// A task that fails while it makes the value leaves it to the next one. `spin::Once` alone would let
/// others spin meanwhile, and be unusable after a panic.
pub struct OnceLock<T> {
    value: Once<T>,
    making: Mutex<()>,
}

impl<T> OnceLock<T> {
    /// No value yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            value: Once::new(),
            making: Mutex::new(()),
        }
    }

    /// The value, if it has been made.
    #[must_use]
    pub fn get(&self) -> Option<&T> {
        self.value.get()
    }

    /// The value, made by `make` if nobody has made it. A safe point if it has to wait.
    ///
    /// # Panics
    ///
    /// When `make` asks for the value.
    pub fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        match self.get_or_try_init(|| Ok::<T, Infallible>(make())) {
            Ok(value) => value,
            Err(never) => match never {},
        }
    }

    /// As [`OnceLock::get_or_init`], by a function that may fail.
    ///
    /// # Errors
    ///
    /// What `make` answers; the next call tries again.
    ///
    /// # Panics
    ///
    /// When `make` asks for the value.
    pub fn get_or_try_init<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
        if let Some(value) = self.value.get() {
            return Ok(value);
        }
        let _alone = self.making.lock();
        if let Some(value) = self.value.get() {
            return Ok(value);
        }
        let value = make()?;
        Ok(self.value.call_once(|| value))
    }
}

impl<T> Default for OnceLock<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for OnceLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OnceLock").field(&self.get()).finish()
    }
}
