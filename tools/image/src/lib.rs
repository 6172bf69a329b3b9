//! The image builder: from the workspace's sources to what the machine boots.
//!
//! It runs cargo once for all crates of the target, takes each crate's object out of its library,
//! merges and processes it, and writes the archive, the nucleus and a bootable image. What only a
//! compiler's output can tell is found out here, once, and kept in each object's metadata; the
//! system itself never reads DWARF and never hashes a name.
//!
//! Principles: the same sources give the same bytes, in any folder and on any machine; nothing is
//! done twice for the same input; what an object does that could not be replaced at run time is an
//! error of the build, with the names of symbol and crate.
//!
//! Neighbours: `linker::format` defines what is written here; `digests` reads the shapes of types
//! from DWARF. Left out: how the image is run (`runner`) and sent into a running system.
#![forbid(unsafe_code)]

mod abi;
mod addresses;
mod archive;
mod build;
mod cache;
mod cargo;
mod classes;
mod compile;
#[cfg(test)]
mod compiled;
mod context;
mod elf;
mod elf_read;
mod elf_write;
pub mod error;
mod files;
mod frames;
mod functions;
mod identity;
mod iso;
pub mod line_source;
pub mod lines;
pub mod list;
pub mod manifest;
pub mod members;
mod merge;
mod names;
mod nucleus;
mod policy;
mod pool;
mod process;
mod rlib;
mod shapes;
pub mod summary;
mod toolchain;
pub mod unit;
mod workspace;
pub mod wrapper;

pub use build::{Build, Options, build};
