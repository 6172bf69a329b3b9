//! Owned windows onto device registers and firmware tables.
#![no_std]
