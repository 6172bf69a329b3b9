//! The end of the nucleus.

use frames::FrameRange;
use handover::{Handover, PhysicalRange, Purpose};
use x86_64::instructions::tlb;

use crate::{
    MappingError,
    pages::{self, Frames},
    space::{self, Area},
    table::{self, Entry, Level},
    to_usize,
};

/// What the nucleus's memory is overwritten with: breakpoints, if anything still ran there, and an
/// address that is not canonical, if anything still pointed there.
const POISON: u8 = 0xCC;

/// Bytes that one entry of the root table maps.
const ROOT_ENTRY: u64 = 1 << 39;
/// Entries of the root table that map the lower half, where only the nucleus lives.
const LOWER_HALF: u64 = 256;

/// Unmaps the identity map, overwrites the nucleus's memory and frees it. Answers with how many
/// frames that were.
///
/// # Safety
///
/// Nothing of the nucleus may be in use any more: no code, stack, descriptor table or reference.
pub unsafe fn give_back_nucleus(handover: &'static Handover) -> Result<usize, MappingError> {
    for index in 0..LOWER_HALF {
        // SAFETY: the root table is always present. The caller promises that nothing of the lower
        // half is in use.
        unsafe { table::write(Level::Root, index * ROOT_ENTRY, Entry::NONE) };
    }
    tlb::flush_all();
    let mut count = 0;
    for used in handover
        .used
        .as_slice()
        .iter()
        .filter(|used| used.purpose == Purpose::Nucleus)
    {
        poison(used.range)?;
        // SAFETY: the hand-over says that the nucleus took the range; the caller promises that it
        // is done with it, and it is mapped nowhere any more.
        let frames = unsafe { FrameRange::from_raw(used.range) };
        count += frames.count();
    }
    frames::nucleus_given_back();
    Ok(count)
}

fn poison(frames: PhysicalRange) -> Result<(), MappingError> {
    let window = space::take(Area::Mappings, frames.len())?;
    let mapped = pages::map_physical(window, frames, space::READ_WRITE);
    if mapped.is_ok() {
        // SAFETY: the window is mapped writable, and the caller's caller gives the frames up.
        unsafe { core::ptr::write_bytes(window.start as *mut u8, POISON, to_usize(window.len())) };
        pages::unmap(window, Frames::Keep);
    }
    space::give_back(Area::Mappings, window);
    mapped
}
