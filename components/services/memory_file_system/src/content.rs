//! A file's bytes: blocks of a page each, so that growing copies none of them but a small first one.
//!
//! A block holds as many bytes as were written to it; what is missing, up to the file's length, reads
//! as zeros. So a hole takes no memory, and a small file little.

use crate::quota::{Exhausted, Quota, memory};
use alloc::vec::Vec;
use core::cmp::min;

/// Bytes of a block.
const BLOCK: usize = 4096;

/// Least memory for a block that has bytes.
const SMALLEST: usize = 64;

/// What a file holds.
#[derive(Debug, Default)]
pub(crate) struct Content {
    length: u64,
    blocks: Vec<Vec<u8>>,
    /// Bytes that were taken from the quota.
    charged: u64,
}

/// Why bytes cannot be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No memory, or none that the quota gives.
    Full,
    /// The file would be longer than the whole file system.
    TooLong {
        /// Bytes that it would have.
        length: u64,
    },
}

impl From<Exhausted> for Refusal {
    fn from(_: Exhausted) -> Self {
        Self::Full
    }
}

impl Content {
    pub(crate) const fn length(&self) -> u64 {
        self.length
    }

    /// Bytes of memory that it takes.
    pub(crate) const fn charged(&self) -> u64 {
        self.charged
    }

    /// Copies bytes from `offset` on; how many.
    pub(crate) fn read(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let rest = self.length.saturating_sub(offset);
        let wanted = min(buffer.len(), usize::try_from(rest).unwrap_or(usize::MAX));
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..wanted).filter(|rest| !rest.is_empty()) {
            let (index, begin) = split(offset + done as u64);
            let count = min(rest.len(), BLOCK - begin);
            let block = self.blocks.get(index).map_or(&[][..], Vec::as_slice);
            let held = block.get(begin..min(block.len(), begin + count));
            let held = held.unwrap_or_default();
            let (from_block, zeros) = rest.split_at_mut(held.len());
            from_block.copy_from_slice(held);
            if let Some(zeros) = zeros.get_mut(..count - held.len()) {
                zeros.fill(0);
            }
            done += count;
        }
        wanted
    }

    /// Keeps bytes from `offset` on; how many. An error when it is none of them.
    pub(crate) fn write(
        &mut self,
        offset: u64,
        bytes: &[u8],
        quota: &Quota,
    ) -> Result<usize, Refusal> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let end = offset.saturating_add(bytes.len() as u64);
        if end > quota.limit() {
            return Err(Refusal::TooLong { length: end });
        }
        let mut done = 0;
        while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
            let (index, begin) = split(offset + done as u64);
            let part = rest.get(..BLOCK - begin).unwrap_or(rest);
            match self.write_block(index, begin, part, quota) {
                Ok(()) => done += part.len(),
                Err(refusal) if done == 0 => return Err(refusal),
                Err(_) => break,
            }
            self.length = self.length.max(offset + done as u64);
        }
        Ok(done)
    }

    /// Cuts it off, or lengthens it with zeros.
    pub(crate) fn set_length(&mut self, length: u64, quota: &Quota) -> Result<(), Refusal> {
        if length > quota.limit() {
            return Err(Refusal::TooLong { length });
        }
        if length < self.length {
            let (index, begin) = split(length);
            let kept = index + usize::from(begin > 0);
            let mut freed = 0;
            for block in self.blocks.drain(min(kept, self.blocks.len())..) {
                freed += memory(block.capacity());
            }
            if begin > 0
                && let Some(last) = self.blocks.get_mut(index)
            {
                last.truncate(begin); // What was behind it must read as zeros if it grows again.
            }
            if self.blocks.is_empty() {
                freed += table_memory(self.blocks.capacity());
                self.blocks = Vec::new();
            }
            self.charged -= freed;
            quota.give_back(freed);
        }
        self.length = length;
        Ok(())
    }

    /// Gives back what was taken from the quota. The contents are gone.
    pub(crate) fn clear(&mut self, quota: &Quota) {
        quota.give_back(core::mem::take(&mut self.charged));
        self.blocks = Vec::new();
        self.length = 0;
    }

    /// Writes `part`, which fits, into a block, which may not be there yet.
    fn write_block(
        &mut self,
        index: usize,
        begin: usize,
        part: &[u8],
        quota: &Quota,
    ) -> Result<(), Refusal> {
        self.reserve_table(index + 1, quota)?;
        if self.blocks.len() <= index {
            self.blocks.resize_with(index + 1, Vec::new);
        }
        let Some(block) = self.blocks.get_mut(index) else {
            return Err(Refusal::Full);
        };
        let end = begin + part.len();
        if block.capacity() < end {
            // The first block grows by doubling, since most files are small; the others are full soon.
            let capacity = match index {
                0 => end.next_power_of_two().max(SMALLEST),
                _ => BLOCK,
            };
            let (before, after) = (memory(block.capacity()), memory(capacity));
            quota.take(after - before)?;
            if block.try_reserve_exact(capacity - block.len()).is_err() {
                quota.give_back(after - before);
                return Err(Refusal::Full);
            }
            self.charged += after - before;
        }
        if block.len() < begin {
            block.resize(begin, 0);
        }
        let (over, behind) = part.split_at(min(part.len(), block.len() - begin));
        if let Some(place) = block.get_mut(begin..begin + over.len()) {
            place.copy_from_slice(over);
        }
        block.extend_from_slice(behind);
        Ok(())
    }

    /// Sees to it that the table has room for `count` blocks.
    fn reserve_table(&mut self, count: usize, quota: &Quota) -> Result<(), Refusal> {
        let before = self.blocks.capacity();
        if count <= before {
            return Ok(());
        }
        let capacity = if count == 1 {
            1
        } else {
            count.next_power_of_two().max(8)
        };
        // While the table moves, there are two.
        let (old, new) = (table_memory(before), table_memory(capacity));
        quota.take(new)?;
        let more = capacity - self.blocks.len();
        if self.blocks.try_reserve_exact(more).is_err() {
            quota.give_back(new);
            return Err(Refusal::Full);
        }
        quota.give_back(old);
        self.charged += new - old;
        Ok(())
    }
}

/// The block of an offset, and the offset in it.
fn split(offset: u64) -> (usize, usize) {
    const SIZE: u64 = BLOCK as u64;
    let index = usize::try_from(offset / SIZE).unwrap_or(usize::MAX);
    let begin = usize::try_from(offset % SIZE).unwrap_or(0);
    (index, begin)
}

/// Bytes that a table for so many blocks takes.
fn table_memory(capacity: usize) -> u64 {
    memory(capacity.saturating_mul(size_of::<Vec<u8>>()))
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, Content, Refusal};
    use crate::quota::Quota;
    use alloc::{vec, vec::Vec};

    fn index(offset: u64) -> usize {
        usize::try_from(offset).unwrap()
    }

    fn all(content: &Content) -> Vec<u8> {
        let mut bytes = vec![0xEE; index(content.length()) + 3];
        let count = content.read(0, &mut bytes);
        bytes.truncate(count);
        bytes
    }

    #[test]
    fn reads_what_was_written() {
        let quota = Quota::new(1 << 20);
        let mut content = Content::default();
        assert_eq!(content.write(0, b"hello", &quota), Ok(5));
        assert_eq!(content.write(3, b"p!!", &quota), Ok(3));
        assert_eq!(all(&content), b"help!!");
        assert!(quota.used() < 300, "{} for 6 bytes", quota.used());
        assert_eq!(content.read(6, &mut [0; 4]), 0);
        assert_eq!(content.read(u64::MAX, &mut [0; 4]), 0);
        content.clear(&quota);
        assert_eq!(quota.used(), 0);
    }

    #[test]
    fn holes_read_as_zeros_and_take_nothing() {
        let quota = Quota::new(1 << 20);
        let mut content = Content::default();
        let far = 100 * BLOCK as u64 + 7;
        assert_eq!(content.write(far, b"x", &quota), Ok(1));
        assert!(quota.used() < 20_000, "{}", quota.used());
        let bytes = all(&content);
        assert_eq!(bytes.len() as u64, far + 1);
        assert!(bytes[..index(far)].iter().all(|&byte| byte == 0));
        assert_eq!(bytes[index(far)], b'x');
        content.set_length(0, &quota).unwrap();
        assert_eq!(quota.used(), 0);
    }

    #[test]
    fn what_was_cut_off_does_not_come_back() {
        let quota = Quota::new(1 << 20);
        let mut content = Content::default();
        content.write(0, &[7; 2 * BLOCK], &quota).unwrap();
        for length in [BLOCK as u64 + 10, 10] {
            content.set_length(length, &quota).unwrap();
            content.set_length(3 * BLOCK as u64, &quota).unwrap();
            let bytes = all(&content);
            assert!(bytes[..index(length)].iter().all(|&byte| byte == 7));
            assert!(bytes[index(length)..].iter().all(|&byte| byte == 0));
        }
    }

    #[test]
    fn a_full_quota_keeps_what_fits() {
        let quota = Quota::new(10 * BLOCK as u64);
        let mut content = Content::default();
        let written = content.write(0, &[1; 10 * BLOCK], &quota).unwrap();
        assert!((8 * BLOCK..10 * BLOCK).contains(&written), "{written}");
        assert_eq!(content.length(), written as u64);
        assert_eq!(
            content.write(written as u64, &[2; BLOCK], &quota),
            Err(Refusal::Full)
        );
        assert!(all(&content).iter().all(|&byte| byte == 1));
        let length = 11 * BLOCK as u64;
        assert_eq!(
            content.write(length - 1, b"x", &quota),
            Err(Refusal::TooLong { length })
        );
        assert_eq!(
            content.set_length(u64::MAX, &quota),
            Err(Refusal::TooLong { length: u64::MAX })
        );
        assert_eq!(content.charged(), quota.used());
        content.clear(&quota);
        assert_eq!(quota.used(), 0);
    }

    #[test]
    fn does_what_a_plain_vector_does() {
        let quota = Quota::new(1 << 20);
        let mut content = Content::default();
        let mut plain: Vec<u8> = Vec::new();
        let mut state = 3_u64;
        let mut random = |limit: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            index(state >> 33) % limit
        };
        for round in 0..3000_u32 {
            let offset = random(5 * BLOCK);
            if random(8) == 0 {
                content.set_length(offset as u64, &quota).unwrap();
                plain.resize(offset, 0);
            } else {
                let bytes = vec![round.to_le_bytes()[0]; random(2 * BLOCK) + 1];
                let written = content.write(offset as u64, &bytes, &quota);
                assert_eq!(written, Ok(bytes.len()));
                if plain.len() < offset + bytes.len() {
                    plain.resize(offset + bytes.len(), 0);
                }
                plain[offset..offset + bytes.len()].copy_from_slice(&bytes);
            }
            assert_eq!(content.charged(), quota.used());
            if round % 16 == 0 {
                assert!(all(&content) == plain, "round {round}");
            }
        }
    }
}
