//! Unwinds inside the Linux guest: what a program in Rust pays there for a panic that is caught.
//!
//! No message is made, as in the operation that this is compared with. With instructions counted, a
//! nanosecond is an instruction.
#![forbid(unsafe_code)]

use std::{
    hint::black_box,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

/// Counts drops.
static DROPS: AtomicU64 = AtomicU64::new(0);

/// Batches that are measured, after one that warms up; the cheapest counts.
const BATCHES: u32 = 7;

struct Counted;

impl Drop for Counted {
    fn drop(&mut self) {
        DROPS.fetch_add(1, Ordering::Relaxed);
    }
}

#[inline(never)]
fn descend(depth: u64) {
    if black_box(depth) == 0 {
        resume_unwind(Box::new(7));
    }
    let counted = Counted;
    descend(depth - 1);
    drop(counted); // After the call, so that it is no tail call.
}

fn nanoseconds(depth: u64, operations: u32) -> u128 {
    let batch = || {
        let begin = Instant::now();
        for _ in 0..operations {
            // The outcome is known: it unwinds.
            let _ = catch_unwind(AssertUnwindSafe(|| descend(depth)));
        }
        begin.elapsed().as_nanos() / u128::from(operations)
    };
    batch();
    (0..BATCHES).map(|_| batch()).min().unwrap_or(0)
}

fn main() {
    println!("row catch user resume_unwind {}", nanoseconds(0, 50));
    println!("row unwind-50 user resume_unwind {}", nanoseconds(50, 10));
}
