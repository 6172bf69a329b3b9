//! Files: what a path names, which file systems there are, and what can be done with a file.
//!
//! [`OpenOptions`] opens a file by its path and gives an [`OpenFile`], which closes it when dropped,
//! in a panic and in a kill too. File systems implement [`FileSystem`], [`Directory`] and [`File`]
//! and mount themselves ([`mount`]); they are not known here.
//!
//! Principles:
//!
//! - A walk takes one step a name: the directory is asked for it. Nothing is allocated on the way but
//!   for a path with `..`, for which it remembers where it came from. There are no links, so a path names
//!   one thing, and `..` is where the walk came from.
//! - A name is checked before its step is taken, so a file system sees only good ones. An error
//!   names the path, how far it leads, and the reason.
//! - A directory is one value for as long as it exists: mounts and moves tell directories apart by
//!   their address.
//! - Mounts are only ever added, and read without a lock. A walk holds no lock of this crate while it
//!   calls a file system.
//! - An open of a file that was opened a moment ago needs no walk: the paths of some are remembered until
//!   anything is removed, renamed or mounted.
//! - The directory at which relative paths begin is part of a task's streams, and so inherited.
//! - Each operation begins at a safe point, before it has changed anything or holds a lock.
//!
//! Lock order: the lock for adding a mount comes before those of file systems.
//!
//! Looked at: the crate `vfs` (paths as strings through every layer, a lock and an allocation for each
//! name), `embedded-io` and `acid_io` (streams without a file system), Redox's schemes and
//! Asterinas' `FileSystem` and `Inode`, which these traits come closest to.
//!
//! Neighbours: `memory_file_system` is at `/`, `archive_file_system` at `/boot`,
//! `proc_file_system` at `/proc`; `application` makes streams of files. Left out: links, owners and
//! rights (there is one user), devices as files, unmounting.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod error;
mod handle;
mod mounts;
mod operations;
pub mod path;
mod recent;
mod traits;
mod walk;

pub use error::{Access, Error, Reason, Shown, WriteError};
pub use handle::{OpenFile, OpenOptions, read, read_text};
pub use mounts::{MountInfo, mount, mounts};
pub use operations::{
    create_directories, create_directory, current_directory, destination, directory_path, is_same,
    list, metadata, remove_directory, remove_file, rename,
};
pub use traits::{Directory, Entry, File, FileSystem, Kind, Metadata, Node, Usage, read_slice};
