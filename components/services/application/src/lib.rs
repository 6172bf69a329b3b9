//! What an application sees of the system.
#![no_std]
