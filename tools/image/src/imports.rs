//! The digests of imports: an object is compiled against the definitions of the same build, but its
//! debug information seldom describes them, so they are taken from the objects that define them.

use crate::{
    error::{Error, Result},
    identity::Ids,
    summary::Summary,
    toolchain::truncate,
};
use linker::format::{
    Record as _,
    metadata::{Item, ItemKind},
};
use std::collections::HashMap;

/// What the objects of a build define: the digest of each exported function and static, by key.
#[derive(Default)]
pub(crate) struct Definitions(HashMap<u64, u64>);

/// The digests that one object's imports have in a build.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Imports(Vec<(u64, u64)>);

impl Definitions {
    /// The definitions in the objects with these summaries.
    pub(crate) fn of<'s>(summaries: impl Iterator<Item = &'s Summary>) -> Self {
        let mut digests = HashMap::new();
        for export in summaries.flat_map(|summary| &summary.exports) {
            if export.weak {
                digests.entry(export.key).or_insert(export.digest);
            } else {
                digests.insert(export.key, export.digest);
            }
        }
        Self(digests)
    }

    /// What the imports of an object are in this build; what has no digest is left out.
    pub(crate) fn imports(&self, summary: &Summary) -> Imports {
        let known = summary.imports.iter().filter_map(|import| {
            let digest = *self.0.get(&import.key)?;
            (digest != 0).then_some((import.key, digest))
        });
        let mut known: Vec<_> = known.collect();
        known.sort_unstable();
        Imports(known)
    }
}

impl Imports {
    /// Hash of the digests: the same imports, the same file.
    pub(crate) fn hash(&self) -> u128 {
        let mut hasher = blake3::Hasher::new();
        self.add_to(&mut hasher);
        truncate(&hasher)
    }

    /// The ids of an object that had `ids` without its imports' digests.
    pub(crate) fn ids(&self, ids: Ids) -> Ids {
        let with = |id: u128| {
            let mut hasher = blake3::Hasher::new();
            hasher.update(&id.to_le_bytes());
            self.add_to(&mut hasher);
            truncate(&hasher)
        };
        Ids {
            exact: with(ids.exact),
            content: with(ids.content),
        }
    }

    fn add_to(&self, hasher: &mut blake3::Hasher) {
        for (key, digest) in &self.0 {
            hasher.update(&key.to_le_bytes());
            hasher.update(&digest.to_le_bytes());
        }
    }

    /// Writes the digests, and the ids that come of them, into the object.
    ///
    /// # Errors
    ///
    /// When the object is not one that this builder has processed.
    pub(crate) fn write(&self, name: &str, object: &mut [u8], ids: Ids) -> Result<()> {
        let parsed = linker::Object::parse(object, None);
        let parsed = parsed.map_err(|error| Error::object(name, error))?;
        let (mut header, place) = (parsed.metadata.header, parsed.metadata_place.clone());
        let items: Vec<Item> = parsed.metadata.items.iter().collect();
        let metadata = object.get_mut(place).unwrap_or_default();
        header.exact_id = ids.exact;
        header.content_id = ids.content;
        put(metadata, 0, &header);
        let start = usize::try_from(header.items.offset).unwrap_or(usize::MAX);
        for (index, mut item) in items.into_iter().enumerate() {
            if item.kind != ItemKind::Import as u32 || item.digest != 0 {
                continue;
            }
            let known = self.0.binary_search_by_key(&item.key, |(key, _)| *key);
            if let Some((_, digest)) = known.ok().and_then(|known| self.0.get(known)) {
                item.digest = *digest;
                put(metadata, start + index * Item::SIZE, &item);
            }
        }
        Ok(())
    }
}

fn put(bytes: &mut [u8], start: usize, record: &impl linker::format::Record) {
    let mut encoded = Vec::new();
    record.encode(&mut encoded);
    if let Some(place) = bytes.get_mut(start..start + encoded.len()) {
        place.copy_from_slice(&encoded);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::{Export, Hex, Import, Sizes};

    fn summary(exports: &[(u64, u64, bool)], imports: &[u64]) -> Summary {
        let export = |&(key, digest, weak): &(u64, u64, bool)| Export {
            key,
            symbol: String::new(),
            index: 0,
            weak,
            digest,
        };
        let import = |&key: &u64| Import {
            key,
            symbol: String::new(),
            weak: false,
        };
        Summary {
            crate_name: String::new(),
            version: String::new(),
            flags: 0,
            ids: Hex::from(Ids {
                exact: 1,
                content: 2,
            }),
            sizes: Sizes::default(),
            exports: exports.iter().map(export).collect(),
            imports: imports.iter().map(import).collect(),
            violations: Vec::new(),
        }
    }

    #[test]
    fn an_import_has_the_digest_of_its_strong_definition() {
        let build = [
            summary(&[(1, 10, false), (2, 0, false)], &[]),
            summary(&[(1, 11, true), (3, 30, true)], &[]),
        ];
        let definitions = Definitions::of(build.iter());
        let imports = definitions.imports(&summary(&[], &[3, 2, 1, 9]));
        assert_eq!(imports, Imports(vec![(1, 10), (3, 30)]));
    }

    #[test]
    fn other_imports_are_another_object() {
        let ids = Ids {
            exact: 5,
            content: 6,
        };
        let (one, other) = (Imports(vec![(1, 10)]), Imports(vec![(1, 11)]));
        assert_ne!(one.ids(ids), other.ids(ids));
        assert_ne!(one.hash(), other.hash());
        assert_eq!(one.ids(ids), one.ids(ids));
    }
}
