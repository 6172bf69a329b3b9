//! What a fault injector makes components do, and where it may begin.
//!
//! The injector itself works from outside of the machine: it stops the CPU at a call inside of a
//! component and has it call one of these functions instead, so that the caller fails as if what it
//! called had failed. Nothing in the system calls them.
//!
//! Neighbours: `tools/inject` finds the functions by their names; the application `workload` calls the
//! two marks. Left out: faults that need no code, such as a flipped bit or a pointer that is null.
#![no_std]

extern crate alloc;

use alloc::alloc::{Layout, handle_alloc_error};
use core::{
    arch::asm,
    hint::black_box,
    sync::atomic::{AtomicU64, Ordering},
};

/// Counts the marks that were passed, so that each has something to do.
#[used]
static PASSED: AtomicU64 = AtomicU64::new(0);

/// Where a workload begins: the injector stops here to prepare a fault.
#[inline(never)]
pub fn begin() {
    PASSED.fetch_add(1, Ordering::Relaxed);
}

/// Where a workload ends.
#[inline(never)]
pub fn end() {
    PASSED.fetch_add(2, Ordering::Relaxed);
}

/// Panics.
///
/// # Panics
///
/// Always.
#[inline(never)]
#[expect(clippy::panic, reason = "it is what was asked for")]
pub fn fail_by_panic() -> ! {
    panic!("injected panic")
}

/// Divides by zero in hardware.
#[inline(never)]
pub fn fail_by_division() {
    // SAFETY: the division faults, and the supervisor unwinds this task from here.
    unsafe {
        asm!(
            "div {zero:e}",
            zero = in(reg) 0_u32,
            inout("eax") 1_u32 => _,
            inout("edx") 0_u32 => _,
        );
    }
}

/// Recurses without end.
#[expect(unconditional_recursion, reason = "the stack's end is what is wanted")]
#[inline(never)]
pub fn fail_by_recursion(depth: u64) -> u64 {
    let below = fail_by_recursion(black_box(depth + 1));
    black_box(below) ^ depth
}

/// Loops without end.
#[inline(never)]
pub fn fail_by_loop() -> ! {
    let mut rounds = 0_u64;
    loop {
        // No pause: an emulator takes its time for one.
        rounds = black_box(rounds.wrapping_add(1));
    }
}

/// Ends like an allocation for which there was no memory.
#[inline(never)]
pub fn fail_by_allocation() -> ! {
    handle_alloc_error(black_box(Layout::new::<[u64; 8]>()))
}
