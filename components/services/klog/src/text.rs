//! A text of limited length without a heap.

use core::fmt;

/// A text of at most `N` bytes; what does not fit is cut.
pub(crate) struct FixedText<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> FixedText<N> {
    pub(crate) const fn new() -> Self {
        Self {
            bytes: [0; N],
            length: 0,
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..self.length).unwrap_or(&[]);
        core::str::from_utf8(bytes).unwrap_or("")
    }
}

impl<const N: usize> fmt::Write for FixedText<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = N - self.length;
        let mut fitting = text.len().min(room);
        while !text.is_char_boundary(fitting) {
            fitting -= 1;
        }
        let end = self.length + fitting;
        let source = text.as_bytes().get(..fitting).ok_or(fmt::Error)?;
        self.bytes
            .get_mut(self.length..end)
            .ok_or(fmt::Error)?
            .copy_from_slice(source);
        self.length = end;
        if fitting == text.len() {
            Ok(())
        } else {
            Err(fmt::Error)
        }
    }
}
