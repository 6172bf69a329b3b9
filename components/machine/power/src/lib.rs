//! Power off, reset and the exit status.
#![no_std]
