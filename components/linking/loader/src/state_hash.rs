//! A hash of what a swap changes, to show that a refused one changed nothing.

use crate::{Live, LoadError, live, stubs};
use alloc::{borrow::ToOwned, vec::Vec};
use linker::{ComponentId, Namespace, StaticStorage};
use xxhash_rust::xxh3::Xxh3Default;

/// The hash of the symbol map, of all slots of components that others import from, and of the
/// statics of the components `with_statics`, whose values must not be changing of themselves.
///
/// A stub that leads where the symbol map says adds nothing: running a command for the first time
/// makes stubs, and changes nothing by it.
///
/// # Errors
///
/// When one of the components is not loaded.
pub fn hash_of_state(with_statics: &[&str]) -> Result<u64, LoadError> {
    let live = live::snapshot()?;
    let mut hasher = Xxh3Default::new();
    hash_exports(&live.namespace, &mut hasher);
    hash_slots(&live.namespace, &mut hasher);
    for name in with_statics {
        let (id, _) = live
            .find(name)
            .or_else(|| live.instances(name).next())
            .ok_or_else(|| LoadError::NotLoaded {
                component: (*name).to_owned(),
            })?;
        hash_statics(&live, id, &mut hasher);
    }
    Ok(hasher.digest())
}

fn hash_exports(namespace: &Namespace, hasher: &mut Xxh3Default) {
    let mut exports: Vec<(u64, u64, u32)> = namespace
        .exports()
        .map(|(key, export)| (key.0, export.address, export.component.0))
        .collect();
    exports.sort_unstable();
    for (key, address, component) in exports {
        hasher.update(&key.to_le_bytes());
        hasher.update(&address.to_le_bytes());
        hasher.update(&component.to_le_bytes());
    }
}

fn hash_slots(namespace: &Namespace, hasher: &mut Xxh3Default) {
    for (index, stub) in namespace.stubs() {
        let owner = namespace.component(stub.component);
        if owner.is_some_and(|owner| !owner.exported) {
            continue;
        }
        let slot = stubs::read_slot(index).unwrap_or_default();
        let as_exported = namespace
            .export_of(stub.key)
            .is_some_and(|it| it.component == stub.component && it.address == slot);
        if !as_exported {
            hasher.update(&index.0.to_le_bytes());
            hasher.update(&stub.key.0.to_le_bytes());
            hasher.update(&slot.to_le_bytes());
        }
    }
}

fn hash_statics(live: &Live, id: ComponentId, hasher: &mut Xxh3Default) {
    let Some(component) = live.namespace.component(id) else {
        return;
    };
    for StaticStorage { key, address, size } in &component.statics {
        hasher.update(&key.0.to_le_bytes());
        hasher.update(&address.to_le_bytes());
        let size = usize::try_from(*size).unwrap_or_default();
        // SAFETY: the static's storage is mapped as long as the component is live, which the
        // snapshot keeps it; a value that changes meanwhile changes the hash and nothing else.
        let bytes = unsafe { core::slice::from_raw_parts(*address as *const u8, size) };
        hasher.update(bytes);
    }
}
