//! Bytes that were received and not yet read.

/// Size of the ring in bytes: what a user or a script sends ahead of the reader, with room for a
/// pasted line that is longer than any line may be.
const CAPACITY: usize = 128 * 1024;

/// A ring of bytes.
pub(crate) struct Ring {
    bytes: [u8; CAPACITY],
    start: usize,
    used: usize,
    /// Bytes that found no room.
    lost: u64,
}

impl Ring {
    pub(crate) const fn new() -> Self {
        Self {
            bytes: [0; CAPACITY],
            start: 0,
            used: 0,
            lost: 0,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.used == 0
    }

    pub(crate) fn push(&mut self, byte: u8) {
        if self.used == CAPACITY {
            self.lost += 1;
        } else if let Some(place) = self.bytes.get_mut((self.start + self.used) % CAPACITY) {
            *place = byte;
            self.used += 1;
        }
    }

    /// Puts bytes back in front, the last ones first, as far as there is room.
    pub(crate) fn push_back(&mut self, bytes: &[u8]) {
        for &byte in bytes.iter().rev() {
            if self.used == CAPACITY {
                self.lost += 1;
                continue;
            }
            self.start = (self.start + CAPACITY - 1) % CAPACITY;
            if let Some(place) = self.bytes.get_mut(self.start) {
                *place = byte;
                self.used += 1;
            }
        }
    }

    pub(crate) fn take(&mut self, buffer: &mut [u8]) -> usize {
        let count = buffer.len().min(self.used);
        for place in buffer.iter_mut().take(count) {
            *place = self.bytes.get(self.start).copied().unwrap_or(0);
            self.start = (self.start + 1) % CAPACITY;
        }
        self.used -= count;
        count
    }

    /// Drops everything up to the last `byte`; whether it is there.
    pub(crate) fn drop_through(&mut self, byte: u8) -> bool {
        let at = |index: usize| self.bytes.get((self.start + index) % CAPACITY);
        let Some(last) = (0..self.used).rev().find(|&index| at(index) == Some(&byte)) else {
            return false;
        };
        self.start = (self.start + last + 1) % CAPACITY;
        self.used -= last + 1;
        true
    }

    pub(crate) fn clear(&mut self) {
        self.used = 0;
    }

    /// How many bytes were lost since the last call.
    pub(crate) fn take_lost(&mut self) -> u64 {
        core::mem::take(&mut self.lost)
    }
}

#[cfg(test)]
mod tests {
    use super::{CAPACITY, Ring};
    use alloc::boxed::Box;

    #[test]
    fn drops_what_lies_before_a_byte() {
        let mut ring = Box::new(Ring::new());
        b"ab\x03cd\x03ef".iter().for_each(|byte| ring.push(*byte));
        assert!(ring.drop_through(3));
        assert!(!ring.drop_through(3));
        let mut buffer = [0; 4];
        assert_eq!(ring.take(&mut buffer), 2);
        assert_eq!(buffer[..2], *b"ef");
    }

    #[test]
    fn keeps_order_and_counts_what_is_lost() {
        let mut ring = Box::new(Ring::new());
        for round in 0..3 {
            for number in 0..CAPACITY + 5 {
                ring.push(number.to_le_bytes()[0]);
            }
            assert_eq!(ring.take_lost(), 5, "round {round}");
            let mut buffer = [0; 10];
            assert_eq!(ring.take(&mut buffer), 10);
            assert_eq!(buffer, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
            ring.push_back(&buffer[4..]);
            assert_eq!(ring.take(&mut buffer[..3]), 3);
            assert_eq!(buffer[..3], [4, 5, 6]);
            let mut rest = alloc::vec![0; CAPACITY];
            assert_eq!(ring.take(&mut rest), CAPACITY - 7);
            assert_eq!(rest[0], 7);
            assert!(ring.is_empty());
        }
    }
}
