//! Bounded channels between tasks.
#![no_std]
