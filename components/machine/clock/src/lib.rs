//! Monotonic time and the timer interrupt.
#![no_std]
#![forbid(unsafe_code)]

/// Nanoseconds since the clock started; never goes back.
#[must_use]
pub fn now_ns() -> u64 {
    0
}

/// The time that a number of time-stamp counter ticks takes.
#[must_use]
pub fn ticks_to_ns(ticks: u64) -> u64 {
    ticks
}

/// Names what is called at each timer tick, in the interrupt handler.
pub fn register_tick(_tick: fn()) {}
