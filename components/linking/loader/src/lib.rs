//! The loader: the live namespace.
//!
//! It adopts what the nucleus linked, and from then on is where components come from and go to: it
//! loads a component and what it needs by the archive's index, takes one out, and makes an instance
//! of an application for each run. Everybody who asks where something is asks here: backtraces, the
//! unwinder, listing commands, debuggers.
//!
//! Principles:
//!
//! - One value, [`Live`], says what is linked; all else is derived from it. A load that fails takes
//!   back what it did; a swap works on a clone and publishes it by exchanging a pointer.
//! - Text is written while it is mapped read-write, and is protected before anything can call it.
//! - A component that was unloaded or replaced stays mapped ([`retired`]), because somebody may hold
//!   the address of one of its functions. An instance's memory is freed with it.
//! - What the unwinder asks has a lock of its own that nothing blocks under.
//!
//! Lock order: the live namespace, then the stub pages, then the registry; the list of texts is
//! innermost. Hooks of components are called with no lock held.
//!
//! Neighbours: `linker` does the linking, `mappings` the memory; `unwinder` and `task` get functions
//! of this crate as hooks; `swap` is built on [`lock`] and [`LiveGuard::publish`]. Left out: replacing.
#![no_std]

extern crate alloc;

mod adopt;
mod compatible;
mod error;
mod hooks;
mod info;
mod instance;
mod lines;
mod live;
mod load;
mod loaded;
mod object_bytes;
pub mod policy;
mod ranks;
pub mod registry;
mod state_hash;
mod stubs;
mod texts;
mod transaction;

use component::{Handover, StartError};

pub use error::{LoadError, PolicyProblem};
pub use info::{
    CommandInfo, ComponentInfo, ComponentState, Dependency, Location, SymbolInfo, SymbolKind,
    application_of, commands, components, demangled, dependencies, resolve, retired, retired_bytes,
    symbols,
};
pub use instance::{Instance, instantiate, instantiate_object};
pub use lines::{CodePlace, NoLines, lines_of};
pub use linker::format::lines::Line;
pub use live::{Live, LiveGuard, ObjectBytesOf, archive, handover, lock, snapshot};
pub use load::{load, start_components, unload};
pub use loaded::{Fresh, ImageState, Loaded, Sizes, image_hash};
pub use object_bytes::{ObjectBytes, ReceivedObject};
pub use state_hash::hash_of_state;
pub use stubs::{
    SlotStores, StubDamage, check_stub, mapped_stubs, read_slot, write_fresh as write_fresh_stubs,
};
pub use texts::{PreparedTexts, TextsGuard, text_after, text_at, with_texts};

component::component! { start: start }

/// Adopts what the nucleus linked and serves the unwinder from then on.
fn start(handover: &'static Handover) -> Result<(), StartError> {
    adopt::adopt(handover)?;
    unwinder::register_finder(texts::unwind_table);
    task::register_application_text(texts::is_application_text);
    registry::update(&*snapshot()?);
    Ok(())
}
