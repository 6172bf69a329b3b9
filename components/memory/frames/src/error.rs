//! Why frames could not be had.

use core::fmt;

/// Why frames could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// There are not that many free frames, less the reserve.
    Exhausted {
        /// How many were wanted.
        count: usize,
        /// How many are free, the reserve included.
        free: usize,
    },
    /// There are as many free frames, but not in a row with that alignment.
    Fragmented {
        /// How many were wanted.
        count: usize,
        /// The alignment in bytes.
        alignment: u64,
    },
    /// The alignment is not a power of two, or smaller than a frame.
    BadAlignment {
        /// The alignment in bytes.
        alignment: u64,
    },
    /// No frames were asked for.
    Empty,
    /// The memory map has no place for the bitmap.
    NoPlaceForBitmap {
        /// Its size in bytes.
        bytes: u64,
    },
    /// Frames were asked for before this component was started.
    NotStarted,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exhausted { count, free } => {
                write!(
                    f,
                    "out of memory: {count} frames wanted, {free} free with the reserve"
                )
            }
            Self::Fragmented { count, alignment } => {
                write!(
                    f,
                    "no {count} free frames in a row, aligned to {alignment:#x}"
                )
            }
            Self::BadAlignment { alignment } => {
                write!(
                    f,
                    "alignment of frames {alignment:#x} is not a power of two of pages"
                )
            }
            Self::Empty => f.write_str("zero frames were asked for"),
            Self::NoPlaceForBitmap { bytes } => {
                write!(
                    f,
                    "no {bytes} bytes of usable memory for the bitmap over frames"
                )
            }
            Self::NotStarted => f.write_str("frames asked for before there is a bitmap"),
        }
    }
}

impl core::error::Error for FrameError {}
