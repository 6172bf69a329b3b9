//! Finding the objects: those of the request, and those that they need and nobody has loaded yet.

use crate::{Item, Reason, Refusal, Request};
use alloc::{borrow::ToOwned, string::String, vec::Vec};
use linker::{
    Key, KeyMap,
    format::{
        archive::Archive,
        metadata::{APPLICATION, Class},
    },
};
use loader::{Live, ObjectBytes};

/// An object of the request, found.
pub(crate) struct Found {
    /// The component that it is for.
    pub(crate) name: String,
    /// The object.
    pub(crate) bytes: ObjectBytes,
    /// Whether it has to be loaded because one that is swapped imports from it.
    pub(crate) is_added: bool,
}

/// Finds the request's objects.
pub(crate) fn find(archive: &Archive<'static>, items: &[Item]) -> Result<Vec<Found>, Refusal> {
    let mut found: Vec<Found> = Vec::with_capacity(items.len());
    for item in items {
        if found.iter().any(|known| known.name == item.component) {
            return Err(Refusal::new(&item.component, Reason::Twice));
        }
        let bytes = item.find(archive)?;
        found.push(Found {
            name: item.component.clone(),
            bytes,
            is_added: false,
        });
    }
    Ok(found)
}

/// Adds what the objects that will be linked import and nobody has loaded yet: another object of the
/// request, or else the archive's.
pub(crate) fn complete(
    live: &Live,
    archive: &Archive<'static>,
    request: &Request,
    found: &mut Vec<Found>,
) -> Result<(), Refusal> {
    let mut definers = KeyMap::default();
    for (index, found) in found.iter().enumerate() {
        note_definitions(&found.bytes, index, &mut definers);
    }
    let mut waiting: Vec<usize> = (0..found.len()).collect();
    waiting.retain(|index| {
        found
            .get(*index)
            .is_some_and(|it| is_linked(live, request, it))
    });
    while let Some(index) = waiting.pop() {
        let Some(importer) = found.get(index) else {
            continue;
        };
        for key in missing_imports(live, &importer.bytes) {
            let definer = match definers.get(&key) {
                Some(definer) => *definer,
                None => {
                    let Some(added) = from_archive(live, archive, key)? else {
                        continue;
                    };
                    note_definitions(&added.bytes, found.len(), &mut definers);
                    found.push(added);
                    found.len() - 1
                }
            };
            let Some(definer_found) = found.get_mut(definer) else {
                continue;
            };
            if !definer_found.is_added && live.find(&definer_found.name).is_none() {
                definer_found.is_added = true;
                waiting.push(definer);
            }
        }
    }
    Ok(())
}

/// Whether an object of the request takes the place of something that is linked.
fn is_linked(live: &Live, request: &Request, found: &Found) -> bool {
    live.find(&found.name).is_some()
        || request.instances && live.instances(&found.name).next().is_some()
}

/// Notes that the symbols which an object defines are found in it. One that is not exported is noted
/// too: linking will name it as missing.
fn note_definitions(bytes: &[u8], index: usize, definers: &mut KeyMap<Key, usize>) {
    let Ok(symbols) = linker::Symbols::parse(bytes) else {
        return;
    };
    let Some(metadata) = symbols.metadata() else {
        return;
    };
    for symbol in metadata.symbols.iter() {
        let class = Class::from_number(symbol.class);
        if matches!(
            class,
            Some(Class::Function | Class::Static | Class::Constant)
        ) {
            definers.insert(Key(symbol.key), index);
        }
    }
}

/// What an object imports and nobody has defined yet.
fn missing_imports(live: &Live, bytes: &[u8]) -> Vec<Key> {
    let Ok(symbols) = linker::Symbols::parse(bytes) else {
        return Vec::new();
    };
    let Some(metadata) = symbols.metadata() else {
        return Vec::new();
    };
    metadata
        .symbols
        .iter()
        .filter(|symbol| symbol.class == Class::Import as u16)
        .map(|symbol| Key(symbol.key))
        .filter(|key| live.namespace.export_of(*key).is_none())
        .collect()
}

/// The object that would be loaded for a missing symbol; none if the archive does not know it, which
/// linking will say.
fn from_archive(
    live: &Live,
    archive: &Archive<'static>,
    key: Key,
) -> Result<Option<Found>, Refusal> {
    let definition = archive.definition(key.0);
    let Some(member) = definition.and_then(|it| archive.member(it.member).ok()) else {
        return Ok(None);
    };
    let name = archive.text(member.name);
    if live.find(name).is_some() || member.flags & APPLICATION != 0 {
        return Ok(None);
    }
    let bytes = live
        .source_of(name)
        .map_err(|error| Refusal::new(name, Reason::Load(error)))?;
    Ok(Some(Found {
        name: name.to_owned(),
        bytes,
        is_added: false,
    }))
}
