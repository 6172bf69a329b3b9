//! Queues of blocked tasks.
#![no_std]
