//! The heap behind alloc.
#![no_std]
