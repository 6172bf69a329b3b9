//! The ring: records of variable length in a fixed number of bytes.

use crate::{MESSAGE_LIMIT, Record, record::TARGET_LIMIT};
use alloc::vec::Vec;
use log::Level;

/// Size of the ring in bytes.
pub(crate) const CAPACITY: usize = 32 * 1024;

/// In front of each record: time (8 bytes), level (1), length of the target (1) and message (2).
const HEADER: usize = 12;

/// Records, oldest first, from `start` on and around the end.
pub(crate) struct Ring {
    bytes: [u8; CAPACITY],
    start: usize,
    used: usize,
    records: u64,
    dropped: u64,
}

/// How much is in the ring, and how much fell out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// Records in the ring.
    pub records: u64,
    /// Records that fell out, oldest first, to make room.
    pub dropped: u64,
    /// Bytes in use.
    pub used: usize,
    /// Bytes in all.
    pub capacity: usize,
}

impl Ring {
    pub(crate) const fn new() -> Self {
        Self {
            bytes: [0; CAPACITY],
            start: 0,
            used: 0,
            records: 0,
            dropped: 0,
        }
    }

    pub(crate) fn push(&mut self, time_ns: u64, level: Level, target: &str, message: &str) {
        let target = cut(target, TARGET_LIMIT);
        let message = cut(message, MESSAGE_LIMIT);
        let needed = HEADER + target.len() + message.len();
        while self.used + needed > CAPACITY {
            self.drop_oldest();
        }
        self.append(&time_ns.to_le_bytes());
        // Both limits are far below what their fields hold.
        let target_length = u8::try_from(target.len()).unwrap_or(u8::MAX);
        let message_length = u16::try_from(message.len()).unwrap_or(u16::MAX);
        self.append(&[level as u8, target_length]);
        self.append(&message_length.to_le_bytes());
        self.append(target.as_bytes());
        self.append(message.as_bytes());
        self.records += 1;
    }

    pub(crate) fn statistics(&self) -> Statistics {
        Statistics {
            records: self.records,
            dropped: self.dropped,
            used: self.used,
            capacity: CAPACITY,
        }
    }

    /// Appends the records to `out`, oldest first.
    pub(crate) fn copy_to(&self, out: &mut Vec<u8>) {
        let end = self.start + self.used;
        out.extend_from_slice(self.bytes.get(self.start..end.min(CAPACITY)).unwrap_or(&[]));
        out.extend_from_slice(
            self.bytes
                .get(..end.saturating_sub(CAPACITY))
                .unwrap_or(&[]),
        );
    }

    fn drop_oldest(&mut self) {
        let byte = |at: usize| {
            self.bytes
                .get((self.start + at) % CAPACITY)
                .copied()
                .map_or(0, usize::from)
        };
        let length = HEADER + byte(9) + byte(10) + (byte(11) << 8);
        let length = length.min(self.used);
        self.start = (self.start + length) % CAPACITY;
        self.used -= length;
        self.records = self.records.saturating_sub(1);
        self.dropped += 1;
    }

    fn append(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if let Some(place) = self.bytes.get_mut((self.start + self.used) % CAPACITY) {
                *place = byte;
                self.used += 1;
            }
        }
    }
}

/// The records in bytes that [`Ring::copy_to`] gave.
pub(crate) fn parse(mut bytes: &[u8]) -> Vec<Record> {
    let mut records = Vec::new();
    while let Some((record, rest)) = parse_one(bytes) {
        records.push(record);
        bytes = rest;
    }
    records
}

fn parse_one(bytes: &[u8]) -> Option<(Record, &[u8])> {
    let (time, rest) = bytes.split_first_chunk::<8>()?;
    let ([level, target, low, high], rest) = rest.split_first_chunk::<4>()?;
    let level = Level::iter().find(|known| *known as u8 == *level)?;
    let (target, rest) = rest.split_at_checked(usize::from(*target))?;
    let length = usize::from(u16::from_le_bytes([*low, *high]));
    let (message, rest) = rest.split_at_checked(length)?;
    let target = core::str::from_utf8(target).ok()?;
    let message = core::str::from_utf8(message).ok()?;
    Some((
        Record::new(u64::from_le_bytes(*time), level, target, message),
        rest,
    ))
}

/// The beginning of `text` that fits into `limit` bytes.
fn cut(text: &str, limit: usize) -> &str {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::{CAPACITY, Ring, parse};
    use alloc::{boxed::Box, format, vec::Vec};
    use log::Level;

    #[test]
    fn keeps_the_newest_and_counts_the_rest() {
        let mut ring = Box::new(Ring::new());
        for (number, time) in (0..5000_usize).zip(0_u64..) {
            let message = format!("message {number} {}", "x".repeat(number % 300));
            ring.push(time, Level::Info, "tests", &message);
        }
        let mut bytes = Vec::new();
        ring.copy_to(&mut bytes);
        let records = parse(&bytes);
        let statistics = ring.statistics();
        assert!(bytes.len() <= CAPACITY && bytes.len() > CAPACITY - 400);
        assert_eq!(records.len() as u64, statistics.records);
        assert_eq!(statistics.records + statistics.dropped, 5000);
        assert_eq!(records.last().unwrap().time_ns, 4999);
        for (record, number) in records.iter().rev().zip((0..5000).rev()) {
            assert_eq!(record.time_ns, number);
            assert!(record.message().starts_with(&format!("message {number} ")));
        }
    }
}
