//! CPU tables, per-CPU data and the interrupt-safe lock.
#![no_std]
