//! The log ring behind the crate log.
#![no_std]
