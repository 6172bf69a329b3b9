//! What a namespace knows of components, exports, statics and stubs.

use crate::{
    format::metadata::Class,
    key::{FunctionKey, Key},
    stub::StubIndex,
};
use alloc::{collections::BTreeMap, string::String, vec::Vec};
use handover::VirtualRange;

/// The number of a component in a namespace. Numbers of removed components are used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ComponentId(pub u32);

impl ComponentId {
    /// The owner of stubs whose component is gone.
    pub const NOBODY: Self = Self(u32::MAX);
}

/// A linked component.
#[derive(Clone, Debug)]
pub struct Component {
    /// Its name.
    pub name: String,
    /// Its text image.
    pub text: VirtualRange,
    /// Its rodata image.
    pub rodata: VirtualRange,
    /// Whether others can import from it: not so for an instance of an application.
    pub exported: bool,
    /// The keys that it exports.
    pub exports: Vec<Key>,
    /// Whether another component has ever imported from it, and may know an address in it.
    pub was_used: bool,
    /// The storage of its statics.
    pub statics: Vec<StaticStorage>,
    /// The stubs of its functions.
    pub stubs: Vec<StubIndex>,
    /// The components that it imports from, and how many symbols from each.
    pub uses: BTreeMap<ComponentId, u32>,
}

/// The storage of a mutable static.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaticStorage {
    /// The static's key.
    pub key: Key,
    /// Its address.
    pub address: u64,
    /// Its size in bytes.
    pub size: u64,
}

/// A definition that others can import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Export {
    /// Who defines it.
    pub component: ComponentId,
    /// Where: of a function its code, not its stub.
    pub address: u64,
    /// What it is: function, static or constant.
    pub class: Class,
    /// Of a function, the digest of its shape; else 0.
    pub digest: u64,
    /// Whether it gives way to another definition.
    pub weak: bool,
}

/// An entry stub in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stub {
    /// The function.
    pub function: FunctionKey,
    /// The component that defines the function.
    pub component: ComponentId,
    /// What its slot holds: the address of the function's code.
    pub target: u64,
}

/// A slot that a replacement changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotStore {
    /// The stub.
    pub stub: StubIndex,
    /// What its slot holds before.
    pub old: u64,
    /// What its slot holds after.
    pub new: u64,
}

/// What replacing a component's object changes.
#[derive(Clone, Debug, Default)]
pub struct Replacement {
    /// Slots that lead to other code.
    pub stores: Vec<SlotStore>,
    /// Stubs that led to the replaced object and have no successor in the new one: they keep leading
    /// to the old code.
    pub kept: Vec<StubIndex>,
}
