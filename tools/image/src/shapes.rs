//! The digests of an object, as its metadata holds them.

use crate::{
    elf::Object,
    error::{Error, Result},
    names::Identity,
    pool::Pool,
};
use digests::Analysis;
use linker::format::metadata::Item;
use std::collections::BTreeMap;

/// Reads the digests of `object`, which the compiler wrote for `crate_name`.
///
/// # Errors
///
/// When the debug information is not understood.
pub(crate) fn analyse(crate_name: &str, object: &[u8]) -> Result<Analysis> {
    digests::analyse(object, crate_name).map_err(|error| Error::object(crate_name, error))
}

/// The records of `items`, sorted by kind and key.
///
/// The digests know a symbol by its name alone; a symbol that got more into its key because it is a
/// private copy has its item under that key.
pub(crate) fn records(
    items: &[digests::Item],
    object: &Object,
    identities: &[Option<Identity>],
    pool: &mut Pool,
) -> Vec<Item> {
    let mut moved = BTreeMap::new();
    for (symbol, identity) in object.symbols.iter().zip(identities) {
        let Some(identity) = identity else { continue };
        let plain = digests::key_name(&symbol.name);
        if identity.name != plain {
            moved.insert(digests::key(&plain), identity.key());
        }
    }
    let mut records: Vec<Item> = items
        .iter()
        .map(|item| {
            let key = digests::key(&item.key_name);
            let of_symbol = !matches!(
                item.kind,
                digests::ItemKind::Type | digests::ItemKind::Import
            );
            Item {
                key: moved
                    .get(&key)
                    .copied()
                    .filter(|_| of_symbol)
                    .unwrap_or(key),
                digest: item.digest,
                kind: item.kind as u32,
                name: pool.add(&item.name),
                shape: pool.add(&item.shape),
            }
        })
        .collect();
    records.sort_by_key(|item| (item.kind, item.key));
    records
}
