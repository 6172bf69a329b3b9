//! Tasks, context switches and the scheduling interface.
#![no_std]
