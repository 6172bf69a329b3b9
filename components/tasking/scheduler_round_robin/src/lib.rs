//! Preemptive round robin.
#![no_std]
