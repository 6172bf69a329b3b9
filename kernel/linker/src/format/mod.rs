//! The formats that the image builder writes and the linker reads: an object's metadata (its `.strake`
//! section), the archive, and the line tables beside it. All are little-endian, made of fixed-size
//! records that are described once, with the macro `records!`, for the writer and the checked reader.

pub mod archive;
mod index;
pub mod lines;
pub mod metadata;
mod record;

pub use index::{IndexError, checksum as index_checksum};
pub use record::{Record, Records, Span, Strings};
