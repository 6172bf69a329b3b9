//! The command interpreter.
#![no_std]
