//! One load: all that a component needs, entered, linked and protected, or nothing of it.

use crate::{
    Fresh, Live, LiveGuard, LoadError, Loaded, ObjectBytes, archive, compatible, policy, registry,
    stubs, texts,
};
use alloc::{borrow::ToOwned, string::String, sync::Arc, vec::Vec};
use linker::{
    ComponentId, Key, KeyMap, Layout, LinkError, Object, Placement, format::metadata::APPLICATION,
};

/// A component that has been entered and waits for being linked.
struct Pending<'a> {
    id: ComponentId,
    bytes: ObjectBytes,
    object: Object<'a>,
    layout: Layout<'a>,
    placement: Placement,
    fresh: Fresh,
}

/// Loads `bytes` as `name` and what it needs; returns the new components' numbers, `name`'s first.
pub(crate) fn load_closure(
    guard: &mut LiveGuard,
    name: &str,
    bytes: ObjectBytes,
    instance: bool,
) -> Result<Vec<ComponentId>, LoadError> {
    let object = parse(name, &bytes)?;
    let needed = closure(guard.live()?, name, &object)?;
    let mut loading = Loading {
        live: guard.live_mut()?,
        ids: Vec::new(),
        done: false,
    };
    let mut pending = Vec::with_capacity(needed.len() + 1);
    loading.enter(object, bytes.clone(), !instance, &mut pending)?;
    for (name, bytes) in &needed {
        loading.enter(parse(name, bytes)?, bytes.clone(), true, &mut pending)?;
    }
    link_all(loading.live, &mut pending)?;
    stubs::write_fresh(&mut loading.live.namespace)?;
    seal_all(loading.live, pending)?;
    loading.done = true;
    for id in &loading.ids {
        if let Some(loaded) = loading.live.loaded(*id) {
            texts::insert(loaded);
            registry::add(loaded);
        }
    }
    Ok(core::mem::take(&mut loading.ids))
}

/// A load under way. Dropping it before it is done, by an error or by being unwound, takes out what
/// has been entered. Stubs that were made in other components stay: they are right, whoever asked
/// for them, and the next load writes them before anything can use them.
struct Loading<'l> {
    live: &'l mut Live,
    ids: Vec<ComponentId>,
    done: bool,
}

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        if !self.done {
            drop(take_out(self.live, &self.ids));
        }
    }
}

/// The objects that have to be loaded for `name`, besides its own. The index names the one member
/// that defines a missing symbol.
fn closure(
    live: &Live,
    name: &str,
    object: &Object<'_>,
) -> Result<Vec<(String, ObjectBytes)>, LoadError> {
    let mut search = Search {
        live,
        needed: Vec::new(),
        defined: KeyMap::default(),
    };
    search.follow(name, object)?;
    let mut next = 0;
    while let Some((name, bytes)) = search.needed.get(next).cloned() {
        search.follow(&name, &parse(&name, &bytes)?)?;
        next += 1;
    }
    Ok(search.needed)
}

/// A search for what has to be loaded.
struct Search<'l> {
    live: &'l Live,
    needed: Vec<(String, ObjectBytes)>,
    /// What the objects that were followed define.
    defined: KeyMap<Key, ()>,
}

impl Search<'_> {
    /// Adds what `object` imports and nobody has loaded.
    fn follow(&mut self, name: &str, object: &Object<'_>) -> Result<(), LoadError> {
        let mut missing = self.live.namespace.missing(object).peekable();
        if missing.peek().is_none() && self.needed.is_empty() {
            return Ok(());
        }
        let archive = archive()?;
        for export in object.exports() {
            self.defined.insert(export.key, ());
        }
        for missing in missing {
            if self.defined.contains_key(&missing.key) {
                continue;
            }
            let symbol = || {
                LoadError::Link(LinkError::Missing {
                    object: name.to_owned(),
                    symbol: object.symbol_name(missing).to_owned(),
                })
            };
            let definition = archive.definition(missing.key.0).ok_or_else(symbol)?;
            let member = archive.member(definition.member)?;
            let definer = archive.text(member.name);
            if self.needed.iter().any(|(known, _)| known == definer) {
                continue;
            }
            if self.live.find(definer).is_some() || member.flags & APPLICATION != 0 {
                return Err(symbol());
            }
            let source = self.live.source_of(definer)?;
            self.needed.push((definer.to_owned(), source));
        }
        Ok(())
    }
}

fn parse<'a>(name: &str, bytes: &'a [u8]) -> Result<Object<'a>, LoadError> {
    let archive = archive()?;
    let object = Object::parse(bytes, Some(archive.header.toolchain)).map_err(|error| {
        LoadError::Object {
            component: name.to_owned(),
            error,
        }
    })?;
    policy::check(&archive, name, object.metadata.header.flags)?;
    Ok(object)
}

impl Loading<'_> {
    /// Finds room for an object and enters it in the namespace: all are entered before the first is
    /// linked, because they may import from each other in circles.
    fn enter<'a>(
        &mut self,
        object: Object<'a>,
        bytes: ObjectBytes,
        exported: bool,
        pending: &mut Vec<Pending<'a>>,
    ) -> Result<(), LoadError> {
        let is_application = object.metadata.has(APPLICATION);
        if is_application == exported {
            return Err(LoadError::Kind {
                component: object.name().to_owned(),
                application: is_application,
            });
        }
        compatible::check(self.live, &object)?;
        let layout = object.layout();
        let fresh = Fresh::allocate(object.name(), &layout, layout.data.size)?;
        let placement = Placement::fresh(
            &layout,
            fresh.text_start(),
            fresh.rodata_start(),
            fresh.data_start(),
        );
        let id = self
            .live
            .namespace
            .add(&object, &layout, &placement, exported)?;
        self.ids.push(id);
        pending.push(Pending {
            id,
            bytes,
            object,
            layout,
            placement,
            fresh,
        });
        Ok(())
    }
}

fn link_all(live: &mut Live, pending: &mut [Pending<'_>]) -> Result<(), LoadError> {
    for Pending {
        id,
        object,
        layout,
        placement,
        fresh,
        ..
    } in pending
    {
        live.namespace.link(
            *id,
            object,
            layout,
            placement,
            &mut fresh.images(object.name())?,
        )?;
    }
    Ok(())
}

fn seal_all(live: &mut Live, pending: Vec<Pending<'_>>) -> Result<(), LoadError> {
    for Pending {
        id,
        bytes,
        object,
        layout,
        placement,
        fresh,
    } in pending
    {
        let loaded = Loaded::seal(bytes, &object, &layout, placement, fresh, &[])?;
        live.set_loaded(id, Some(Arc::new(loaded)));
    }
    Ok(())
}

/// Takes components out of the namespace, makes their stubs unusable and returns their images.
pub(crate) fn take_out(live: &mut Live, ids: &[ComponentId]) -> Vec<Arc<Loaded>> {
    let mut dropped = Vec::new();
    for id in ids {
        if let Some(component) = live.namespace.remove(*id)
            && stubs::clear(&component.stubs).is_err()
        {
            log::warn!("{}: no memory to clear its entry stubs", component.name);
        }
        dropped.extend(live.set_loaded(*id, None));
    }
    dropped
}
