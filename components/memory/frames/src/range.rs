//! Frames as values.

use handover::{PhysicalRange, layout::PAGE_SIZE};

use crate::{FrameError, pool, reserve};

/// Frames in a row that this value owns; dropping it frees them.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub struct FrameRange {
    range: PhysicalRange,
}

/// Takes `count` frames in a row, the first at a multiple of `alignment` bytes (a power of two, at
/// least [`PAGE_SIZE`]). Their contents are left as they are.
pub fn allocate(count: usize, alignment: u64) -> Result<FrameRange, FrameError> {
    if count == 0 {
        return Err(FrameError::Empty);
    }
    if !alignment.is_power_of_two() || alignment < PAGE_SIZE {
        return Err(FrameError::BadAlignment { alignment });
    }
    let range = match pool::take(count, alignment, reserve::RESERVE) {
        Err(FrameError::Exhausted { .. }) if reserve::may_use() => pool::take(count, alignment, 0),
        answer => answer,
    }?;
    Ok(FrameRange { range })
}

impl FrameRange {
    /// The physical addresses.
    #[must_use]
    pub fn range(&self) -> PhysicalRange {
        self.range
    }

    /// The physical address of the first frame.
    #[must_use]
    pub fn start(&self) -> u64 {
        self.range.start
    }

    /// How many frames.
    #[must_use]
    pub fn count(&self) -> usize {
        (self.range.len() / PAGE_SIZE) as usize
    }

    /// Gives the frames into the caller's care.
    #[must_use = "the frames leak"]
    pub fn into_raw(self) -> PhysicalRange {
        let range = self.range;
        core::mem::forget(self);
        range
    }

    /// Takes frames into the care of a value.
    ///
    /// # Safety
    ///
    /// The range must be page aligned, taken, and owned by nobody else; and when the value is
    /// dropped, no mapping of the frames may be in use.
    pub unsafe fn from_raw(range: PhysicalRange) -> Self {
        Self { range }
    }
}

impl Drop for FrameRange {
    fn drop(&mut self) {
        pool::give_back(self.range);
    }
}
