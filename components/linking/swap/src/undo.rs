//! Taking the last swap back: the old versions are still mapped, so their text needs no linking.
//!
//! A stub of a function that only the new version has keeps leading there. What was loaded since and
//! needs such a function stands in the way.

use crate::{
    Reason, Refusal, Step,
    build::{Built, finish},
    history::{Change, Transaction},
    names::function_name,
    step::Meter,
};
use alloc::{borrow::ToOwned, string::String, sync::Arc, vec::Vec};
use linker::{ComponentId, Object};
use loader::{Live, Loaded};

/// Prepares to make the old versions of a swap live again.
pub(crate) fn prepare(
    live: &Live,
    transaction: &Transaction,
    meter: &mut Meter,
) -> Result<Built, Refusal> {
    let changes = reversed(live, transaction)?;
    check_loaded_since(live, transaction, &changes)?;
    meter.done(Step::Find)?;
    let mut next = Live::clone(live);
    next.overrides.clone_from(&transaction.overrides);
    let mut stores = Vec::new();
    let mut kept_old = Vec::new();
    let ids: Vec<ComponentId> = changes.iter().map(|change| change.id).collect();
    let mut imports = Vec::new();
    for (index, Change { id, old, new }) in changes.iter().enumerate() {
        let object = parse(new)?;
        let layout = object.layout();
        let pending = ids.get(index..).unwrap_or_default();
        let placement = new.settled_placement();
        let replacement = next
            .namespace
            .replace(*id, &object, &layout, &placement, pending)
            .map_err(|error| Refusal::new(&new.name, Reason::Link(error)))?;
        stores.extend(replacement.stores);
        for stub in replacement.kept {
            if let Some(stub) = next.namespace.stub(stub) {
                kept_old.push(function_name(old, stub.function));
            }
        }
        imports.push((
            *id,
            object
                .imports()
                .map(|import| import.key)
                .collect::<Vec<_>>(),
        ));
        next.set_loaded(*id, Some(Arc::clone(new)));
        next.retired.retain(|retired| !Arc::ptr_eq(retired, new));
        next.retired.push(Arc::clone(old));
    }
    for (id, keys) in imports {
        next.namespace.adopt_uses(id, keys);
    }
    meter.done(Step::Enter)?;
    check_users(&next, &ids)?;
    meter.done(Step::Survivors)?;
    let built = finish(next, &stores, changes, kept_old)?;
    meter.done(Step::Seal)?;
    Ok(built)
}

/// The changes the other way round. Instances that have ended since are left out.
fn reversed(live: &Live, transaction: &Transaction) -> Result<Vec<Change>, Refusal> {
    let mut changes = Vec::new();
    for Change { id, old, new } in &transaction.changes {
        match live.loaded(*id) {
            Some(now) if Arc::ptr_eq(now, new) => {
                changes.push(Change {
                    id: *id,
                    old: Arc::clone(new),
                    new: Arc::clone(old),
                });
            }
            _ if new.is_application() => {}
            _ => return Err(Refusal::new(&new.name, Reason::ChangedSince)),
        }
    }
    Ok(changes)
}

/// What was not loaded when the swap was made, and has been since, is of the new build. It may have
/// been made for what the undo takes away, so it stands in the way. Runs of applications do not: the
/// command that asks for the undo may be one.
fn check_loaded_since(
    live: &Live,
    transaction: &Transaction,
    changes: &[Change],
) -> Result<(), Refusal> {
    for (id, loaded) in live.all_loaded().filter(|(_, it)| !it.is_application()) {
        let in_swap = transaction.components.contains(&loaded.name);
        let known = changes.iter().any(|change| change.id == id);
        let is_next = live
            .overrides
            .iter()
            .any(|entry| entry.name == loaded.name && is_same(&entry.bytes, loaded));
        if in_swap && !known && is_next {
            return Err(Refusal::new(&loaded.name, Reason::LoadedSince));
        }
    }
    Ok(())
}

/// Whether a version was loaded from these bytes.
fn is_same(bytes: &[u8], loaded: &Loaded) -> bool {
    core::ptr::eq(bytes.as_ptr(), loaded.bytes.as_ptr())
}

fn parse(loaded: &Loaded) -> Result<Object<'_>, Refusal> {
    Object::parse(&loaded.bytes, None)
        .map_err(|error| Refusal::new(&loaded.name, Reason::Object(error)))
}

/// Whether all that the users of `ids` import is still defined.
fn check_users(next: &Live, ids: &[ComponentId]) -> Result<(), Refusal> {
    for (id, user) in next.all_loaded() {
        let uses = next
            .namespace
            .component(id)
            .map(|component| &component.uses);
        let uses_one = uses.is_some_and(|uses| ids.iter().any(|id| uses.contains_key(id)));
        if !uses_one {
            continue;
        }
        let object = parse(user)?;
        if let Some(missing) = next.namespace.missing(&object).next() {
            let symbol = object.symbol_name(missing).to_owned();
            let name = ids
                .first()
                .and_then(|id| next.namespace.component(*id))
                .map_or_else(String::new, |component| component.name.clone());
            let reason = Reason::NeededSince {
                user: user.name.clone(),
                symbol,
            };
            return Err(Refusal::new(name, reason));
        }
    }
    Ok(())
}
