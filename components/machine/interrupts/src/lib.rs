//! Interrupt and exception entry, and who handles which vector.
#![no_std]
