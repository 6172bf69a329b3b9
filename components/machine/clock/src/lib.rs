//! Monotonic time and the timer interrupt.
#![no_std]
