//! What can be asked about the live namespace.

use crate::{
    Live, LoadError, Loaded, ObjectBytes, ReceivedObject, archive, live,
    object_bytes::received_bytes, stubs, texts,
};
use alloc::{
    borrow::ToOwned,
    format,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};
use handover::VirtualRange;
use linker::{
    ComponentId, NamedSymbol, StubIndex,
    format::metadata::{Class, FIRST_PARTY, UNSAFE_GRANTED},
};

/// What a component is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComponentState {
    /// Loaded; others can import from it.
    Loaded,
    /// A run of an application.
    Instance,
    /// Replaced or unloaded, and still mapped.
    Retired,
}

impl ComponentState {
    /// The state in one word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Loaded => "loaded",
            Self::Instance => "instance",
            Self::Retired => "retired",
        }
    }
}

/// A component, for people.
#[derive(Clone, Debug)]
pub struct ComponentInfo {
    /// Its name.
    pub name: String,
    /// Its crate's version.
    pub version: String,
    /// Its content id.
    pub content_id: u128,
    /// Its exact id.
    pub exact_id: u128,
    /// What it is doing.
    pub state: ComponentState,
    /// Where its text lies.
    pub text: VirtualRange,
    /// Where its rodata lies.
    pub rodata: VirtualRange,
    /// Bytes of text, without the rest of the last page.
    pub text_size: u64,
    /// Bytes of rodata.
    pub rodata_size: u64,
    /// Bytes of statics.
    pub data_size: u64,
    /// Bytes that it takes in memory, with pages' rests and the loader's records of it, and for an
    /// object received from outside the object itself.
    pub memory: u64,
    /// Whether it may use `unsafe`: the manifest grants it, or it is not of this repository.
    pub uses_unsafe: bool,
    /// Whether it belongs to this repository.
    pub first_party: bool,
    /// Number of components that import from it.
    pub users: usize,
}

/// All components that are linked now, in the order in which they were linked.
///
/// # Errors
///
/// Before the loader has started.
pub fn components() -> Result<Vec<ComponentInfo>, LoadError> {
    let live = live::snapshot()?;
    Ok(live
        .all_loaded()
        .map(|(id, loaded)| look(&live, Some(id), loaded))
        .collect())
}

/// Versions that were replaced or unloaded and stay mapped.
///
/// # Errors
///
/// Before the loader has started.
pub fn retired() -> Result<Vec<ComponentInfo>, LoadError> {
    let live = live::snapshot()?;
    Ok(live
        .retired
        .iter()
        .map(|loaded| look(&live, None, loaded))
        .collect())
}

/// Bytes that are still taken by what was replaced or unloaded: images, the records of them, and
/// objects that are neither linked nor what would be loaded next.
#[must_use]
pub fn retired_bytes(live: &Live) -> u64 {
    let images: u64 = live.retired.iter().map(|it| image_memory(it)).sum();
    images.saturating_add(replaced_objects(live))
}

/// Bytes of received objects that are not in use any more, whoever keeps them, and of those in the
/// archive whose place a received one has taken.
fn replaced_objects(live: &Live) -> u64 {
    let next = live.overrides.iter().map(|entry| &entry.bytes);
    let linked = live.all_loaded().map(|(_, loaded)| &loaded.bytes);
    let mut in_use: Vec<&Arc<ReceivedObject>> = next
        .chain(linked)
        .filter_map(ObjectBytes::received)
        .collect();
    in_use.sort_unstable_by_key(|object| Arc::as_ptr(object));
    in_use.dedup_by(|one, other| Arc::ptr_eq(one, other));
    let in_use: u64 = in_use.iter().map(|object| object.memory()).sum();
    let received = received_bytes().saturating_sub(in_use);
    let Ok(archive) = archive() else {
        return received;
    };
    let received_overrides = live
        .overrides
        .iter()
        .filter(|entry| entry.bytes.received().is_some());
    let replaced = received_overrides.filter_map(|entry| {
        let member = archive.find(&entry.name, "")?;
        Some(archive.object(member).ok()?.len() as u64)
    });
    received.saturating_add(replaced.sum())
}

/// Bytes of a version's images and of the loader's records of it.
fn image_memory(loaded: &Loaded) -> u64 {
    loaded.text().len() + loaded.rodata().len() + loaded.bookkeeping()
}

fn look(live: &Live, id: Option<ComponentId>, loaded: &Loaded) -> ComponentInfo {
    let state = match id.and_then(|id| live.namespace.component(id)) {
        Some(component) if component.exported => ComponentState::Loaded,
        Some(_) => ComponentState::Instance,
        None => ComponentState::Retired,
    };
    let object = loaded.bytes.received().map_or(0, |object| object.memory());
    ComponentInfo {
        name: loaded.name.clone(),
        version: loaded.version.clone(),
        content_id: loaded.content_id,
        exact_id: loaded.exact_id,
        state,
        text: loaded.text(),
        rodata: loaded.rodata(),
        text_size: loaded.sizes.text,
        rodata_size: loaded.sizes.rodata,
        data_size: loaded.sizes.data,
        memory: image_memory(loaded) + object,
        uses_unsafe: loaded.flags & UNSAFE_GRANTED != 0 || loaded.flags & FIRST_PARTY == 0,
        first_party: loaded.flags & FIRST_PARTY != 0,
        users: id.map_or(0, |id| live.namespace.users(id).count()),
    }
}

/// A command of the manifest.
#[derive(Clone, Debug)]
pub struct CommandInfo {
    /// What the user types.
    pub name: String,
    /// One line for `help`.
    pub summary: String,
    /// The application that runs.
    pub application: String,
}

/// The commands of the manifest, sorted by name; none before the loader has started.
#[must_use]
pub fn commands() -> Vec<CommandInfo> {
    let Ok(archive) = archive() else {
        return Vec::new();
    };
    let commands = archive.commands.iter().map(|command| CommandInfo {
        name: archive.text(command.name).to_owned(),
        summary: archive.text(command.summary).to_owned(),
        application: archive
            .member(command.member)
            .map_or("?", |member| archive.text(member.name))
            .to_owned(),
    });
    commands.collect()
}

/// The application that the command `name` of the manifest runs.
#[must_use]
pub fn application_of(name: &str) -> Option<&'static str> {
    let archive = archive().ok()?;
    let command = archive.command(name)?;
    Some(archive.text(archive.member(command.member).ok()?.name))
}

/// Who imports from whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// Who imports.
    pub user: String,
    /// From whom.
    pub used: String,
    /// How many symbols.
    pub symbols: u32,
}

/// Who imports from whom, as the live relocations have it.
///
/// # Errors
///
/// Before the loader has started.
pub fn dependencies() -> Result<Vec<Dependency>, LoadError> {
    let live = live::snapshot()?;
    let mut found = Vec::new();
    for (_, component) in live.namespace.components() {
        for (used, symbols) in &component.uses {
            if let Some(used) = live.namespace.component(*used) {
                found.push(Dependency {
                    user: component.name.clone(),
                    used: used.name.clone(),
                    symbols: *symbols,
                });
            }
        }
    }
    Ok(found)
}

/// A symbol of a component.
#[derive(Clone, Debug)]
pub struct SymbolInfo {
    /// Its path.
    pub name: String,
    /// What it is.
    pub kind: SymbolKind,
    /// Where it is: of a function its code.
    pub address: u64,
    /// Its size in bytes.
    pub size: u64,
    /// The address of its entry stub, if it has one.
    pub stub: Option<u64>,
    /// Whether other components can import it.
    pub exported: bool,
}

/// What a symbol is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SymbolKind {
    /// A function.
    Function,
    /// A mutable static.
    Static,
    /// A constant.
    Constant,
}

impl SymbolKind {
    /// The kind in one word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Static => "static",
            Self::Constant => "constant",
        }
    }
}

/// The symbols of the loaded component `name`, or of one of its instances.
///
/// # Errors
///
/// When it is not loaded.
pub fn symbols(name: &str) -> Result<Vec<SymbolInfo>, LoadError> {
    let live = live::snapshot()?;
    let (id, loaded) = live
        .find(name)
        .or_else(|| live.instances(name).next())
        .ok_or_else(|| LoadError::NotLoaded {
            component: name.to_owned(),
        })?;
    let object = linker::Object::parse(&loaded.bytes, None).map_err(|error| LoadError::Object {
        component: name.to_owned(),
        error,
    })?;
    let layout = object.layout();
    let mut found = Vec::new();
    for symbol in object.symbols() {
        let kind = match symbol.class {
            Class::Function => SymbolKind::Function,
            Class::Static => SymbolKind::Static,
            Class::Constant => SymbolKind::Constant,
            _ => continue,
        };
        let Some(address) = loaded.placement.symbol(&object, &layout, symbol) else {
            continue;
        };
        if symbol.is_section() {
            continue;
        }
        let stub = live.namespace.stub_of(id, symbol.function());
        found.push(SymbolInfo {
            name: demangled(object.symbol_name(symbol)),
            kind,
            address,
            size: symbol.size,
            stub: stub.map(StubIndex::address),
            exported: symbol.is_exported(),
        });
    }
    Ok(found)
}

/// What an address is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The component.
    pub component: String,
    /// The function.
    pub function: String,
    /// Offset from the function's start in bytes.
    pub offset: u64,
    /// Whether the address lies in the function's entry stub.
    pub stub: bool,
    /// Whether the version that it lies in has been replaced.
    pub retired: bool,
}

impl core::fmt::Display for Location {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "{}+{:#x} in {}",
            self.function, self.offset, self.component
        )?;
        if self.retired {
            f.write_str(" (retired)")?;
        }
        if self.stub {
            f.write_str(" (entry stub)")
        } else {
            Ok(())
        }
    }
}

/// The function that `address` lies in, if it is text or an entry stub of a component. Takes no lock
/// that a task could be unwound with.
#[must_use]
pub fn resolve(address: u64) -> Option<Location> {
    if let Some(loaded) = texts::text_at(address) {
        let (function, offset) = function_at(&loaded, address);
        let component = loaded.name.clone();
        let retired = loaded.is_retired();
        return Some(Location {
            component,
            function,
            offset,
            stub: false,
            retired,
        });
    }
    let index = StubIndex::containing(address)?;
    let target = stubs::read_slot(index)?;
    let loaded = texts::text_at(target)?;
    let (function, _) = function_at(&loaded, target);
    Some(Location {
        component: loaded.name.clone(),
        function,
        offset: address - index.address(),
        stub: true,
        retired: loaded.is_retired(),
    })
}

/// The function of `loaded` that `address`, which lies in its text, belongs to.
fn function_at(loaded: &Loaded, address: u64) -> (String, u64) {
    let offset = address - loaded.text().start;
    let symbols = loaded.symbols();
    let found = symbols
        .as_ref()
        .and_then(|symbols| symbols.function_at(offset));
    match found {
        Some(NamedSymbol {
            name,
            text_offset: Some(start),
            ..
        }) => (demangled(name), offset - start),
        _ => (format!("{:#x}", loaded.text().start), offset),
    }
}

/// A symbol's path without crate hashes.
#[must_use]
pub fn demangled(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name)).to_string()
}
