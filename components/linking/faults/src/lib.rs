//! Panics and CPU exceptions: report, then unwind the task.
#![no_std]
