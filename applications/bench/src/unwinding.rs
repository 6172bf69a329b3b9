//! Unwinding to a catch. No report is made: the failure is the one that ends an application.

use crate::measure::{Outcome, fallible_cost};
use core::hint::black_box;
use core::sync::atomic::{AtomicU64, Ordering};
use task::Failure;

/// Counts drops.
#[used]
static DROPS: AtomicU64 = AtomicU64::new(0);

pub(crate) fn one_frame() -> Outcome {
    fallible_cost(50, || unwinds(0))
}

pub(crate) fn fifty_drops() -> Outcome {
    fallible_cost(10, || {
        let before = DROPS.load(Ordering::Relaxed);
        unwinds(50)?;
        match DROPS.load(Ordering::Relaxed) - before {
            50 => Ok(()),
            _ => Err("not every frame was dropped"),
        }
    })
}

/// Unwinds through `depth` frames with a value to drop in each.
fn unwinds(depth: u64) -> Result<(), &'static str> {
    match task::catch(&mut || descend(depth)) {
        Err(Failure::Exited { status: 7 }) => Ok(()),
        _ => Err("the unwinding did not arrive"),
    }
}

struct Counted;

impl Drop for Counted {
    fn drop(&mut self) {
        DROPS.fetch_add(1, Ordering::Relaxed);
    }
}

#[inline(never)]
fn descend(depth: u64) {
    if black_box(depth) == 0 {
        task::unwind(Failure::Exited { status: 7 });
    }
    let counted = Counted;
    descend(depth - 1);
    drop(counted); // After the call, so that it is no tail call.
}
