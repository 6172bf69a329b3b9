//! Local and I/O APICs.
#![no_std]
