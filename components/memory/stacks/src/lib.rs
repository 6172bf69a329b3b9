//! Guarded stacks.
#![no_std]
