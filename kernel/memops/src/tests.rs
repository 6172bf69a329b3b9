//! Every small size, alignment and overlap against the standard library.

use super::{bcmp, memcmp, memcpy, memmove, memset, strlen};
use std::vec::Vec;

/// Sizes that reach each branch and both sides of each block border.
const MAX_SIZE: usize = 300;

/// Those of copies; long ones are made otherwise.
fn sizes() -> impl Iterator<Item = usize> {
    (0..=MAX_SIZE).chain(1000..1040).chain([4095, 4096, 4097])
}

/// The longest of them.
const LONGEST: usize = 4097;

fn pattern(length: usize) -> Vec<u8> {
    (0..length)
        .map(|index| u8::try_from((index * 37 + index / 251) % 256).unwrap_or(0))
        .collect()
}

#[test]
fn memcpy_copies_and_touches_nothing_else() {
    for size in sizes() {
        for offset in 0..17 {
            let source = pattern(size + 64);
            let mut destination = std::vec![0xEE_u8; size + 64];
            let mut expected = destination.clone();
            expected[offset..offset + size].copy_from_slice(&source[3..3 + size]);
            let target = destination[offset..].as_mut_ptr();
            // SAFETY: both vectors have 64 bytes more than `size`, the offsets are below 64.
            let returned = unsafe { memcpy(target, source[3..].as_ptr(), size) };
            assert_eq!(returned, target);
            assert_eq!(destination, expected, "size {size}, offset {offset}");
        }
    }
}

#[test]
fn memmove_survives_every_overlap() {
    for size in sizes() {
        for from in [0, 1, 7, 15, 16, 17, 63, 64, 65, 100, 200, 300] {
            for to in [0, 1, 3, 8, 15, 16, 33, 63, 64, 66, 99, 101, 128, 201, 299] {
                let mut buffer = pattern(LONGEST + MAX_SIZE + 64);
                let mut expected = buffer.clone();
                expected.copy_within(from..from + size, to);
                let start = buffer.as_mut_ptr();
                // SAFETY: `from + size` lies inside the buffer.
                let source = unsafe { start.add(from) };
                // SAFETY: `to + size` lies inside the buffer.
                let target = unsafe { start.add(to) };
                // SAFETY: both ranges lie inside the buffer.
                let returned = unsafe { memmove(target, source, size) };
                assert_eq!(returned, target);
                assert_eq!(buffer, expected, "size {size}, {from} to {to}");
            }
        }
    }
}

#[test]
fn memset_fills_and_touches_nothing_else() {
    for size in 0..=MAX_SIZE {
        for offset in 0..17 {
            for value in [0_i32, 0x5A, 0xFF, 0x123] {
                let mut buffer = std::vec![0xEE_u8; size + 64];
                let mut expected = buffer.clone();
                expected[offset..offset + size].fill(value.to_le_bytes()[0]);
                let target = buffer[offset..].as_mut_ptr();
                // SAFETY: the vector has 64 bytes more than `size`, the offset is below 64.
                let returned = unsafe { memset(target, value, size) };
                assert_eq!(returned, target);
                assert_eq!(buffer, expected, "size {size}, offset {offset}");
            }
        }
    }
}

#[test]
fn memcmp_orders_by_the_first_difference() {
    for size in 0..=80 {
        let left = pattern(size);
        let right = left.clone();
        // SAFETY: both ranges have `size` bytes.
        let found = unsafe { memcmp(left.as_ptr(), right.as_ptr(), size) };
        assert_eq!(found, 0);
        for place in 0..size {
            for change in [1, 0x7F, 0x80, 0xFF] {
                let mut right = left.clone();
                right[place] = right[place].wrapping_add(change);
                if let Some(last) = right[place + 1..].last_mut() {
                    *last = last.wrapping_sub(0x55); // a later difference must not count
                }
                // SAFETY: both ranges have `size` bytes.
                let found = unsafe { memcmp(left.as_ptr(), right.as_ptr(), size) };
                // SAFETY: as above.
                let differs = unsafe { bcmp(left.as_ptr(), right.as_ptr(), size) } != 0;
                assert_eq!(
                    found.cmp(&0),
                    left.cmp(&right),
                    "size {size}, place {place}"
                );
                assert!(differs);
            }
        }
    }
}

#[test]
fn strlen_stops_at_the_first_zero() {
    for length in 0..100 {
        let mut text = std::vec![b'x'; length];
        text.extend_from_slice(&[0, b'y', 0]);
        // SAFETY: the vector has a zero byte.
        assert_eq!(unsafe { strlen(text.as_ptr()) }, length);
    }
}
