//! What arrives before there is a receiver.

/// How many bytes are kept for a receiver that comes later.
pub const EARLY: usize = 256;

/// Bytes in the order of their arrival.
#[derive(Debug)]
pub(crate) struct Early {
    bytes: [u8; EARLY],
    len: usize,
}

impl Early {
    pub(crate) const fn new() -> Self {
        Self {
            bytes: [0; EARLY],
            len: 0,
        }
    }

    /// Keeps what fits. Answers with how many bytes did not.
    pub(crate) fn keep(&mut self, bytes: &[u8]) -> usize {
        let space = self.bytes.get_mut(self.len..).unwrap_or(&mut []);
        let fitting = space.len().min(bytes.len());
        for (slot, byte) in space.iter_mut().zip(bytes) {
            *slot = *byte;
        }
        self.len += fitting;
        bytes.len() - fitting
    }

    /// What was kept; nothing is kept any more.
    pub(crate) fn take(&mut self) -> Self {
        core::mem::replace(self, Self::new())
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_first_bytes_and_counts_the_rest() {
        let mut early = Early::new();
        assert_eq!(early.keep(b"abc"), 0);
        assert_eq!(early.keep(&[b'x'; EARLY]), 3);
        let taken = early.take();
        assert_eq!(taken.as_slice().len(), EARLY);
        assert!(taken.as_slice().starts_with(b"abcxx"));
        assert!(early.as_slice().is_empty());
    }
}
