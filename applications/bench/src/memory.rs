//! Mappings and the heap.

use crate::measure::{Cost, Outcome, cost, fallible_cost, per};
use alloc::{boxed::Box, vec::Vec};
use core::hint::black_box;
use mappings::{Mapping, MappingError};

/// Bytes of a page.
const PAGE: usize = 4096;

pub(crate) fn map_4k() -> Outcome {
    map(PAGE, 200)
}

pub(crate) fn map_64k() -> Outcome {
    map(16 * PAGE, 100)
}

pub(crate) fn map_1m() -> Outcome {
    map(256 * PAGE, 10)
}

/// Maps `bytes`, which hold what was in their frames before, writes to each page, unmaps.
fn map(bytes: usize, operations: u64) -> Outcome {
    fallible_cost(operations, || -> Result<(), MappingError> {
        let mut mapping = Mapping::allocate_uncleared(bytes as u64)?;
        for page in mapping.as_mut_slice()?.chunks_mut(PAGE) {
            if let Some(byte) = page.first_mut() {
                *black_box(byte) = 1;
            }
        }
        drop(mapping);
        Ok(())
    })
}

pub(crate) fn heap() -> Outcome {
    Ok(cost(1000, || {
        black_box(Box::<[u8; 64]>::new_uninit());
    }))
}

pub(crate) fn heap_batch() -> Outcome {
    let mut held = Vec::with_capacity(100);
    let all: Cost = cost(20, || {
        for _ in 0..100 {
            held.push(black_box(Box::<[u8; 64]>::new_uninit()));
        }
        held.clear();
    });
    Ok(per(all, 100))
}
