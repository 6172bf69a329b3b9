//! Start-up: runs the stages of the manifest.
#![no_std]
