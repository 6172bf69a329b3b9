//! A blocking mutex that knows its owner.
#![no_std]
