//! Loading components with all that they need, and taking them out again.

use crate::{
    Live, LoadError, Loaded, ObjectBytes, handover, hooks, live, registry, texts,
    transaction::{load_closure, take_out},
};
use alloc::{borrow::ToOwned, string::String, sync::Arc, vec::Vec};
use linker::ComponentId;
use task::KillDeferral;

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
pub(crate) fn load_instance(name: &str, bytes: ObjectBytes) -> Result<ComponentId, LoadError> {
    let mut guard = live::lock()?;
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
/// somebody may hold the address of one of its functions; unless nobody has ever imported from it and
/// nothing of it has run: then it is freed.
///
/// # Errors
///
/// When it is not loaded, others import from it, it cannot stop or refuses to.
pub fn unload(name: &str) -> Result<(), LoadError> {
    let (id, loaded) = unused(&*live::snapshot()?, name)?;
    // Hooks are called with no lock held: they may ask the loader something.
    hooks::stop(&loaded)?;
    let _whole = KillDeferral::new();
    let mut guard = live::lock()?;
    if let Err(error) = unused(guard.live()?, name) {
        // Somebody has begun to use it meanwhile.
        drop(guard);
        hooks::start(&loaded, handover()?)?;
        return Err(error);
    }
    let live = guard.live_mut()?;
    if !was_used(live, id) && loaded.hooks.is_none() {
        // Nobody has ever known an address in it, and nothing of it has run.
        let dropped = take_out(live, &[id]);
        texts::remove(&loaded);
        registry::remove(&loaded);
        drop(guard);
        drop(dropped);
        return Ok(());
    }
    live.namespace.retire(id);
    live.set_loaded(id, None);
    loaded.set_retired(true);
    live.retired.push(loaded);
    registry::update(live);
    Ok(())
}

/// Whether anybody has ever imported from the component.
fn was_used(live: &Live, id: ComponentId) -> bool {
    let component = live.namespace.component(id);
    component.is_none_or(|component| component.was_used)
}

/// The component `name`, if nobody imports from it.
fn unused(live: &Live, name: &str) -> Result<(ComponentId, Arc<Loaded>), LoadError> {
    let component = || name.to_owned();
    let (id, loaded) = live.find(name).ok_or_else(|| LoadError::NotLoaded {
        component: component(),
    })?;
    // Who uses a component takes a look at all; one that was never used needs none.
    let users: Vec<String> = was_used(live, id)
        .then(|| live.namespace.users(id))
        .into_iter()
        .flatten()
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
    let _whole = KillDeferral::new();
    let Ok(mut guard) = live::lock() else { return };
    let Ok(live) = guard.live_mut() else { return };
    let dropped = take_out(live, ids);
    for loaded in &dropped {
        texts::remove(loaded);
        registry::remove(loaded);
    }
    drop(guard);
    drop(dropped);
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
