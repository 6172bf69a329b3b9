//! Flat tables that stand in for slices and strings across the hand-over.

use core::{fmt, marker::PhantomData};

/// A read-only table of `T` at a fixed address: a slice with a defined layout.
///
/// Possessing one proves that its memory is mapped, initialised and not written for as long as the
/// component window lives, because [`Table::new`] demands it.
#[repr(C)]
pub struct Table<T: 'static> {
    address: u64,
    count: u64,
    element: PhantomData<&'static [T]>,
}

impl<T> Table<T> {
    /// A table without elements.
    pub const EMPTY: Self = Self {
        address: 0,
        count: 0,
        element: PhantomData,
    };

    /// Describes `count` elements at the virtual `address`.
    ///
    /// # Safety
    ///
    /// From the first use on and for ever, `address` must be aligned for `T` and point to `count`
    /// initialised elements that nothing writes.
    #[must_use]
    pub const unsafe fn new(address: u64, count: u64) -> Self {
        Self {
            address,
            count,
            element: PhantomData,
        }
    }

    /// The elements.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "usize has 64 bits on this machine"
    )]
    pub const fn as_slice(&self) -> &'static [T] {
        if self.count == 0 {
            return &[];
        }
        // SAFETY: `new`'s caller promised aligned, initialised, unwritten memory for ever.
        unsafe { core::slice::from_raw_parts(self.address as *const T, self.count as usize) }
    }

    /// The address of the first element.
    #[must_use]
    pub const fn address(&self) -> u64 {
        self.address
    }
}

impl<T> Clone for Table<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Table<T> {}

impl<T: fmt::Debug> fmt::Debug for Table<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}

/// A string at a fixed address.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Text {
    bytes: Table<u8>,
}

impl Text {
    /// The empty string.
    pub const EMPTY: Self = Self {
        bytes: Table::EMPTY,
    };

    /// A string of the bytes of `bytes`.
    #[must_use]
    pub const fn new(bytes: Table<u8>) -> Self {
        Self { bytes }
    }

    /// The string, up to its first byte that is not UTF-8.
    #[inline] // Nothing else here is called at run time, and the crate need not be a component for it.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        let bytes = self.bytes.as_slice();
        match core::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => core::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or(""),
        }
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}
