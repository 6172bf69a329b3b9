//! Unwinding through the components' unwind tables.
#![no_std]
