//! A hash of what a swap changes, to show that a refused one changed nothing.

use crate::{Live, LoadError, live, stubs, texts};
use alloc::{borrow::ToOwned, vec::Vec};
use linker::{ComponentId, FunctionKey, Key, KeyMap, Namespace, StaticStorage};
use xxhash_rust::xxh3::Xxh3Default;

/// Where the functions of live builds are.
type Functions = KeyMap<(ComponentId, FunctionKey), u64>;

/// The hash of the symbol map, of which build of each component lies where, of all slots that lead
/// elsewhere than to the build that is live, and of the statics of the components `with_statics`,
/// whose values must not be changing of themselves.
///
/// A stub that leads where it should adds nothing, and neither does one of a function that only a
/// replaced version has: linking makes stubs, and they stay.
///
/// # Errors
///
/// When one of the components is not loaded.
pub fn hash_of_state(with_statics: &[&str]) -> Result<u64, LoadError> {
    let live = live::snapshot()?;
    let mut hasher = Xxh3Default::new();
    hash_exports(&live.namespace, &mut hasher);
    let functions = hash_components(&live, &mut hasher);
    hash_slots(&live.namespace, &functions, &mut hasher);
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

/// Hashes which build of each component lies where; returns where their functions are.
fn hash_components(live: &Live, hasher: &mut Xxh3Default) -> Functions {
    let mut functions = Functions::default();
    for (id, loaded) in live
        .all_loaded()
        .filter(|(_, loaded)| !loaded.is_application())
    {
        hasher.update(loaded.name.as_bytes());
        hasher.update(&loaded.exact_id.to_le_bytes());
        hasher.update(&loaded.text().start.to_le_bytes());
        hasher.update(&loaded.rodata().start.to_le_bytes());
        let (Some(symbols), Some(metadata)) = (loaded.symbols(), loaded.metadata()) else {
            continue;
        };
        for symbol in symbols.iter() {
            let known = metadata.symbols.get(symbol.index);
            if let (Some(known), Some(offset)) = (known, symbol.text_offset) {
                let address = loaded.text().start.wrapping_add(offset);
                let function = FunctionKey {
                    key: Key(known.key),
                    digest: known.digest,
                };
                functions.insert((id, function), address);
            }
        }
    }
    functions
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

fn hash_slots(namespace: &Namespace, functions: &Functions, hasher: &mut Xxh3Default) {
    for (index, stub) in namespace.stubs() {
        let owner = namespace.component(stub.component);
        if owner.is_some_and(|owner| !owner.exported) {
            continue;
        }
        let slot = stubs::read_slot(index).unwrap_or_default();
        let is_right = match functions.get(&(stub.component, stub.function)) {
            Some(address) => *address == slot,
            None => texts::text_at(slot).is_some(),
        };
        if !is_right {
            hasher.update(&index.0.to_le_bytes());
            hasher.update(&stub.function.key.0.to_le_bytes());
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
