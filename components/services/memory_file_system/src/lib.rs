//! The file system in memory, which is at `/`.
//!
//! A file is a list of blocks, a directory a hash table of names; both are values that die with their
//! last owner, be that the directory above or an open file. So a file that was removed can be read
//! on, and nothing has to be swept up when a task ends that had files open.
//!
//! Principles:
//!
//! - Memory is bounded: all that the file system takes is taken from a quota first. When the quota or
//!   the memory is used up, the operation has an error and nothing else is lost.
//! - A change of a directory is made whole or not at all: what it needs is taken before, and then
//!   nothing can fail. So a lock that was poisoned by a fault guards a good value all the same.
//! - Each directory has a lock of its own, and each file; a walk holds one at a time. A file's lock
//!   makes a write whole for those who read.
//! - Only a move between directories changes what is above a directory; one at a time is made.
//!
//! Lock order: the lock of moves; directories from above to below, of two that are not above each
//! other the one with the lower address first; a directory's place; files are leaves. With one
//! move at a time this has no circle: all others hold one directory and want one in it.
//!
//! Looked at: `ramfs` of Linux (for the order of locks), `hashbrown` (used, for its fallible
//! reservation), `slab` (not needed: owners are counted).
//!
//! Neighbours: `vfs` owns the interface and calls. Left out: links, owners, rights, a list of who
//! has what open.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod content;
mod directory;
mod entries;
mod file;
mod quota;
mod volume;

use alloc::sync::Arc;
use component::{Handover, StartError};

component::component! { start: start }

/// Bytes of a frame.
const FRAME: u64 = 4096;

/// Mounts an empty file system at `/`, which may take half of the memory that is free now.
fn start(_: &'static Handover) -> Result<(), StartError> {
    let free = frames::statistics().free as u64 * FRAME;
    let volume = volume::Volume::create(free / 2)
        .map_err(|_| StartError::new("no memory for a root directory"))?;
    Ok(vfs::mount("/", Arc::new(volume))?)
}
