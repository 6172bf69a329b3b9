//! Says hello.
#![no_std]
