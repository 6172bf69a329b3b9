//! Shapes of types, functions, statics and vtables, read from an object's DWARF.
//!
//! Two builds of a crate can follow each other in a running system when everything that both name
//! has the same shape. This crate reads the shapes from the object as the compiler wrote it, before
//! its debug information is dropped, and turns each into a *digest*: a hash of all that the shape
//! depends on, to any depth. The image builder stores digests in the object's metadata; the system
//! compares them and reads no debug information itself.
//!
//! Principles:
//!
//! - An item's digest depends on what the item reaches and on nothing else. What is new in a crate
//!   changes no digest of what was there before.
//! - Names last: no ordinal of an `impl` block, no address, no order in which the compiler met
//!   something is part of a key or of a digest. Closures have no other name than their ordinal, so
//!   they are told apart together with the function that they stand in.
//! - What is not known is said (digest 0), never guessed.
//!
//! Neighbours: [`linker::format::metadata`] has the records that the items become and
//! [`linker`] the comparison; the image builder calls this crate.
//!
//! Left out, because DWARF does not have it: lifetimes, `unsafe fn`, auto traits, calling
//! conventions, the hidden argument of `#[track_caller]`, and constants (those are part of their
//! users' code).
#![forbid(unsafe_code)]

mod elf;
mod error;
mod functions;
mod graph;
mod items;
mod locations;
mod mangled;
mod names;
mod statics;
mod types;
mod vtables;

pub use error::DigestError;
pub use items::{Analysis, Item, analyse};
pub use linker::format::metadata::ItemKind;
pub use locations::{PanicLocation, panic_locations};
pub use names::{display_name, key, key_name};
pub use statics::{MutableStatic, StaticFault, StaticProblem};
