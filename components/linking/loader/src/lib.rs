//! The live namespace: load, link, unload.
#![no_std]
