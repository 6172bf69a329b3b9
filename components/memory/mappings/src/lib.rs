//! Virtual memory: owned mappings.
#![no_std]
