//! The linker, as a pure library on slices.
//!
//! It turns an object's bytes into images that can run at given addresses. It maps nothing, keeps no
//! global state and contains no `unsafe`, so the nucleus embeds a private copy for boot, the loader
//! uses it at run time as a component like any other, and the host tests it with real objects.
//!
//! The way of an object: [`Object::parse`] checks everything once; [`Object::layout`] says how large
//! its images are and which statics it has; the caller finds room and enters it in a [`Namespace`];
//! [`Namespace::link`] fills the images. [`stub::encode`] gives the bytes of the stubs that linking
//! made ([`Namespace::take_fresh_stubs`]).
//!
//! Principles: bytes become meaning in one place; a relocation type is data
//! ([`relocation::meaning`]) and has one applier; names are keys, and text is touched only to make an
//! error; every error names the object, and the symbol, section and offset where there is one.
//!
//! Neighbours: the image builder writes what [`format`](mod@format) describes; `handover` gives the
//! address space. [`compare`] says whether one build of a component can follow another; linking does
//! not ask it.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod compare;
mod component;
pub mod constant;
mod elf;
mod error;
pub mod format;
mod key;
mod layout;
mod link;
mod namespace;
mod object;
mod placement;
pub mod pristine;
pub mod relocation;
pub mod stub;
pub mod survivor;
mod symbols;
mod tables;

pub use component::{Component, ComponentId, Export, Replacement, SlotStore, StaticStorage, Stub};
pub use elf::ElfError;
pub use error::{LinkError, ObjectError, RelocationProblem, SectionProblem, SymbolProblem};
pub use key::{FunctionKey, Key, KeyHasher, KeyMap};
pub use layout::{ImageLayout, Layout, Piece, StaticLayout};
pub use link::{Images, Import, Resolver, link};
pub use namespace::Namespace;
pub use object::{Binding, Object, Section, SectionKind, Symbol, SymbolIndex};
pub use placement::{Placement, StaticPlace};
pub use stub::StubIndex;
pub use symbols::{NamedSymbol, Symbols};
