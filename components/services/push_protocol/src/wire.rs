//! Fields of a message: little-endian numbers, byte strings with a 32-bit length.

use crate::error::ProtocolError;
use alloc::vec::Vec;

/// A checked reader of one message's payload.
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
    kind: u32,
}

impl<'a> Fields<'a> {
    pub(crate) const fn new(payload: &'a [u8], kind: u32) -> Self {
        Self {
            rest: payload,
            kind,
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ProtocolError> {
        let (array, rest) = self
            .rest
            .split_first_chunk()
            .ok_or(ProtocolError::Cut { kind: self.kind })?;
        self.rest = rest;
        Ok(*array)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, ProtocolError> {
        self.array().map(u8::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, ProtocolError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, ProtocolError> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn u128(&mut self) -> Result<u128, ProtocolError> {
        self.array().map(u128::from_le_bytes)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, ProtocolError> {
        let cut = ProtocolError::Cut { kind: self.kind };
        let length = usize::try_from(self.u32()?).map_err(|_| cut)?;
        let (text, rest) = self.rest.split_at_checked(length).ok_or(cut)?;
        self.rest = rest;
        core::str::from_utf8(text).map_err(|_| ProtocolError::Text { kind: self.kind })
    }

    /// Everything that is left.
    pub(crate) fn bytes(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.rest)
    }

    /// Refuses what is left.
    pub(crate) const fn end(&self) -> Result<(), ProtocolError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(ProtocolError::Trailing {
                kind: self.kind,
                bytes: self.rest.len(),
            })
        }
    }
}

/// Appends a text, cut to what a frame can hold.
pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    let mut end = text.len().min(crate::MAX_PAYLOAD / 2);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let bytes = text.as_bytes().get(..end).unwrap_or_default();
    // At most half of MAX_PAYLOAD, see above.
    let length = u32::try_from(bytes.len()).unwrap_or(0);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(bytes);
}
