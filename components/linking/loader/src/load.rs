//! Loading components with all that they need, and taking them out again.

use crate::{
    Fresh, Live, LiveGuard, LoadError, Loaded, ObjectBytes, archive, compatible, handover, hooks,
    live, policy, registry, stubs, texts,
};
use alloc::{borrow::ToOwned, string::String, sync::Arc, vec::Vec};
use linker::{
    ComponentId, KeyMap, Layout, LinkError, Object, Placement, format::metadata::APPLICATION,
};

/// Loads the component `name` and all that it needs and is not loaded yet, and starts what has a
/// start hook. Nothing happens if it is loaded.
///
/// # Errors
///
/// Names the component at fault. Nothing stays loaded.
pub fn load(name: &str) -> Result<ComponentId, LoadError> {
    let mut guard = live::lock()?;
    if let Some((id, _)) = guard.live()?.find(name) {
        return Ok(id);
    }
    let bytes = guard.live()?.source_of(name)?;
    let ids = load_closure(&mut guard, name, bytes, false)?;
    let id = ids.first().copied();
    drop(guard);
    start_all(&ids)?;
    id.ok_or_else(|| LoadError::NotLoaded {
        component: name.to_owned(),
    })
}

/// Loads an application as an instance of its own, and what it needs.
pub(crate) fn load_instance(name: &str) -> Result<ComponentId, LoadError> {
    let mut guard = live::lock()?;
    let bytes = guard.live()?.source_of(name)?;
    let ids = load_closure(&mut guard, name, bytes, true)?;
    drop(guard);
    let needed = ids.get(1..).unwrap_or_default();
    if let Err(error) = start_all(needed) {
        if let Some(id) = ids.first() {
            discard(&[*id]);
        }
        return Err(error);
    }
    ids.first().copied().ok_or_else(|| LoadError::NotLoaded {
        component: name.to_owned(),
    })
}

/// Takes a component out: calls its stop hook, forgets its exports. Its code stays mapped, since
/// somebody may hold the address of one of its functions.
///
/// # Errors
///
/// When it is not loaded, others import from it, it cannot stop or refuses to.
pub fn unload(name: &str) -> Result<(), LoadError> {
    let (id, loaded) = unused(&*live::snapshot()?, name)?;
    // Hooks are called with no lock held: they may ask the loader something.
    hooks::stop(&loaded)?;
    let mut guard = live::lock()?;
    if let Err(error) = unused(guard.live()?, name) {
        // Somebody has begun to use it meanwhile.
        drop(guard);
        hooks::start(&loaded, handover()?)?;
        return Err(error);
    }
    let live = guard.live_mut()?;
    live.namespace.retire(id);
    live.set_loaded(id, None);
    loaded.set_retired(true);
    live.retired.push(loaded);
    registry::update(live);
    Ok(())
}

/// The component `name`, if nobody imports from it.
fn unused(live: &Live, name: &str) -> Result<(ComponentId, Arc<Loaded>), LoadError> {
    let component = || name.to_owned();
    let (id, loaded) = live.find(name).ok_or_else(|| LoadError::NotLoaded {
        component: component(),
    })?;
    let users: Vec<String> = live
        .namespace
        .users(id)
        .map(|(_, user)| user.name.clone())
        .collect();
    if !users.is_empty() {
        return Err(LoadError::InUse {
            component: component(),
            users,
        });
    }
    Ok((id, Arc::clone(loaded)))
}

/// Takes an instance out and frees it.
pub(crate) fn discard(ids: &[ComponentId]) {
    let Ok(mut guard) = live::lock() else { return };
    let Ok(live) = guard.live_mut() else { return };
    let dropped = take_out(live, ids);
    texts::replace(live.all_texts());
    registry::update(live);
    drop(guard);
    drop(dropped);
}

/// Takes components out of the namespace, makes their stubs unusable and returns their images.
fn take_out(live: &mut Live, ids: &[ComponentId]) -> Vec<Arc<Loaded>> {
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
fn load_closure(
    guard: &mut LiveGuard,
    name: &str,
    bytes: ObjectBytes,
    instance: bool,
) -> Result<Vec<ComponentId>, LoadError> {
    let needed = closure(guard.live()?, name, bytes)?;
    let live = guard.live_mut()?;
    let mut pending = Vec::with_capacity(needed.len());
    let linked = enter_all(live, &needed, instance, &mut pending)
        .and_then(|()| link_all(live, &mut pending));
    let ids: Vec<ComponentId> = pending.iter().map(|component| component.id).collect();
    // Stubs that were made in other components stay: they are right, whoever asked for them.
    let written = stubs::write_fresh(&mut live.namespace);
    let sealed = linked.and(written).and_then(|()| seal_all(live, pending));
    if let Err(error) = sealed {
        drop(take_out(live, &ids));
        return Err(error);
    }
    texts::replace(live.all_texts());
    registry::update(live);
    Ok(ids)
}

/// The objects that have to be loaded for `name`, itself first. The index names the one member that
/// defines a missing symbol.
fn closure(
    live: &Live,
    name: &str,
    bytes: ObjectBytes,
) -> Result<Vec<(String, ObjectBytes)>, LoadError> {
    let archive = archive()?;
    let mut needed = alloc::vec![(name.to_owned(), bytes)];
    let mut defined = KeyMap::default();
    let mut next = 0;
    while let Some((name, bytes)) = needed.get(next).cloned() {
        let object = parse(&name, &bytes)?;
        for export in object.exports() {
            defined.insert(export.key, ());
        }
        for missing in live.namespace.missing(&object) {
            if defined.contains_key(&missing.key) {
                continue;
            }
            let symbol = || {
                LoadError::Link(LinkError::Missing {
                    object: name.clone(),
                    symbol: object.symbol_name(missing).to_owned(),
                })
            };
            let definition = archive.definition(missing.key.0).ok_or_else(symbol)?;
            let member = archive.member(definition.member)?;
            let definer = archive.text(member.name);
            if needed.iter().any(|(known, _)| known == definer) {
                continue;
            }
            if live.find(definer).is_some() || member.flags & APPLICATION != 0 {
                return Err(symbol());
            }
            needed.push((definer.to_owned(), live.source_of(definer)?));
        }
        next += 1;
    }
    Ok(needed)
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

/// Finds room for the objects and enters them in the namespace: all before the first is linked,
/// because they may import from each other in circles.
fn enter_all<'a>(
    live: &mut Live,
    needed: &'a [(String, ObjectBytes)],
    instance: bool,
    pending: &mut Vec<Pending<'a>>,
) -> Result<(), LoadError> {
    for (index, (name, bytes)) in needed.iter().enumerate() {
        let object = parse(name, bytes)?;
        let exported = !(instance && index == 0);
        let is_application = object.metadata.has(APPLICATION);
        if is_application == exported {
            let component = name.clone();
            return Err(LoadError::Kind {
                component,
                application: is_application,
            });
        }
        compatible::check(live, &object)?;
        let layout = object.layout();
        let fresh = Fresh::allocate(name, &layout, layout.data.size)?;
        let placement = Placement::fresh(
            &layout,
            fresh.text_start(),
            fresh.rodata_start(),
            fresh.data_start(),
        );
        let id = live.namespace.add(&object, &layout, &placement, exported)?;
        let bytes = bytes.clone();
        pending.push(Pending {
            id,
            bytes,
            object,
            layout,
            placement,
            fresh,
        });
    }
    Ok(())
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

/// Calls the start hooks of components that a swap has brought along.
///
/// # Errors
///
/// The first hook that refuses; the components stay loaded.
pub fn start_components(ids: &[ComponentId]) -> Result<(), LoadError> {
    let handover = handover()?;
    for id in ids.iter().rev() {
        if let Some(loaded) = live::snapshot()?.loaded(*id).cloned() {
            hooks::start(&loaded, handover)?;
        }
    }
    Ok(())
}

/// Starts components that have just been loaded, what is needed before who needs it.
fn start_all(ids: &[ComponentId]) -> Result<(), LoadError> {
    let handover = handover()?;
    for id in ids.iter().rev() {
        let live = live::snapshot()?;
        let Some(loaded) = live.loaded(*id).cloned() else {
            continue;
        };
        drop(live);
        if let Err(error) = hooks::start(&loaded, handover) {
            discard(ids);
            return Err(error);
        }
    }
    Ok(())
}
