//! Replacing components while they run.
#![no_std]
