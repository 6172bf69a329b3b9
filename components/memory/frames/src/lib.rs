//! Frames of physical memory.
//!
//! A bitmap covers all usable memory, less what the nucleus took. It lies in frames itself: at first
//! it is reached through the nucleus's identity map, later at the address that `mappings` gives it.
//!
//! Principles: frames are owned by a [`FrameRange`], and dropping it frees them. The last frames are
//! a reserve: only tasks that are being unwound, or that upper layers call essential, get them, so
//! that a task that exhausts memory ends and the others do not; and each CPU has a few at hand for
//! exceptions, which may hit the code that holds the lock. Memory below 1 MiB is left
//! alone, but for one frame on which another CPU can start ([`trampoline`]).
//!
//! Neighbours: `mappings` gives frames addresses and is the only one that touches their contents.
//! Left out: which address a frame is seen at.
#![cfg_attr(not(test), no_std)]

mod bitmap;
mod error;
mod pool;
mod range;
mod reserve;
mod spare;

pub use error::FrameError;
pub use handover::layout::PAGE_SIZE;
pub use pool::{
    FrameStatistics, bitmap_range, move_bitmap, nucleus_given_back, statistics, trampoline,
};
pub use range::{FrameRange, allocate};
pub use reserve::{RESERVE, set_reserve_right, with_reserve};
pub use spare::{SPARE, give_back_in_exception, refill_spare, take_in_exception, take_last_resort};

component::component! { start: pool::start }
