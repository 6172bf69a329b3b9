//! Physical memory in frames.
#![no_std]
