//! Calling what components declare about themselves: hooks and entries.
//!
//! A declaration is a constant in the component's rodata, of a type with Rust's own layout. It is
//! read only when the component's metadata gives that type the digest that this crate's own has.

use crate::{LoadError, Loaded, live};
use alloc::{borrow::ToOwned, string::ToString};
use component::{Application, Handover, Hooks, StartError};
use linker::format::metadata::{ItemKind, Metadata};

/// Calls a component's start hook, if it has one.
pub(crate) fn start(loaded: &Loaded, handover: &'static Handover) -> Result<(), LoadError> {
    match hooks_of(loaded)?.start {
        Some(start) => start(handover).map_err(|error| refused(loaded, "start", &error)),
        None => Ok(()),
    }
}

/// Calls a component's stop hook. Without one, only a component that has not been started can stop.
pub(crate) fn stop(loaded: &Loaded) -> Result<(), LoadError> {
    let hooks = hooks_of(loaded)?;
    match (hooks.start, hooks.stop) {
        (_, Some(stop)) => stop().map_err(|error| refused(loaded, "stop", &error)),
        (Some(_), None) => Err(LoadError::NoStop {
            component: loaded.name.clone(),
        }),
        (None, None) => Ok(()),
    }
}

fn refused(loaded: &Loaded, hook: &'static str, error: &StartError) -> LoadError {
    LoadError::Hook {
        component: loaded.name.clone(),
        hook,
        message: error.message().to_owned(),
    }
}

/// A component's hooks.
fn hooks_of(loaded: &Loaded) -> Result<Hooks, LoadError> {
    let Some(address) = loaded.hooks else {
        return Ok(Hooks::NONE);
    };
    check_type(loaded, "component::Hooks")?;
    // SAFETY: the linker computed the address of the component's `COMPONENT` static, which lies in
    // its rodata, mapped as long as `loaded` lives; the digest says that its type is ours.
    Ok(unsafe { *(address as *const Hooks) })
}

/// An application's entry.
pub(crate) fn entry_of(loaded: &Loaded) -> Result<Application, LoadError> {
    let Some(address) = loaded.entry else {
        return Err(LoadError::Kind {
            component: loaded.name.clone(),
            application: false,
        });
    };
    check_type(loaded, "component::application::Application")?;
    // SAFETY: the linker computed the address of the component's `APPLICATION` static, which lies in
    // its rodata, mapped as long as `loaded` lives; the digest says that its type is ours.
    Ok(unsafe { *(address as *const Application) })
}

/// Compares the digest that a component's metadata gives the type `path` with the one in the
/// metadata of this crate. A type that either does not name cannot differ.
fn check_type(loaded: &Loaded, path: &'static str) -> Result<(), LoadError> {
    let live = live::snapshot()?;
    let Some((_, own)) = live.find(env!("CARGO_PKG_NAME")) else {
        return Ok(());
    };
    let (Some(own), Some(theirs)) = (own.metadata(), loaded.metadata()) else {
        return Ok(());
    };
    let Some(key) = type_key(&own, path) else {
        return Ok(());
    };
    let digest = |metadata: &Metadata<'_>| Some(metadata.item(ItemKind::Type, key)?.digest);
    match (digest(&own), digest(&theirs)) {
        (Some(ours), Some(theirs)) if ours != theirs => Err(LoadError::Declaration {
            component: loaded.name.to_string(),
            what: path,
        }),
        _ => Ok(()),
    }
}

/// The key of the type that people call `path`.
fn type_key(metadata: &Metadata<'_>, path: &str) -> Option<u64> {
    metadata
        .items
        .iter()
        .filter(|item| item.kind == ItemKind::Type as u32)
        .find(|item| metadata.strings.bytes(item.name) == Some(path.as_bytes()))
        .map(|item| item.key)
}
