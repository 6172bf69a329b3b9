//! The console: serial port, line discipline, foreground job.
#![no_std]
