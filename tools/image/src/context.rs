//! What an object's metadata says of the build around it.
//!
//! An object is compiled against the definitions of the same build, but its debug information seldom
//! describes them: the digests of its imports are taken from the objects that define them. And the
//! debug information of a function does not say whether it wants to know its caller
//! (`#[track_caller]` gives it a hidden argument); the shims do that the compiler makes wherever the
//! address of such a function is taken, here or in another object.

use crate::{
    error::{Error, Result},
    identity::Ids,
    summary::Summary,
    toolchain::truncate,
};
use linker::format::{
    Record as _,
    metadata::{Item, ItemKind, Symbol},
};
use std::collections::{BTreeMap, HashMap, HashSet};

/// A build as its objects see it.
#[derive(Default)]
pub(crate) struct Surroundings {
    /// The digest of each exported function and static, by key.
    digests: HashMap<u64, u64>,
    /// Functions that want to know their caller.
    reified: HashSet<u64>,
}

/// What one object's metadata lacks of the build around it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Context {
    /// The digests of its imports, by key.
    imports: BTreeMap<u64, u64>,
    /// Its functions that want to know their caller.
    reified: Vec<u64>,
}

impl Surroundings {
    /// The build that consists of the objects with these summaries.
    pub(crate) fn of<'s>(summaries: impl Iterator<Item = &'s Summary> + Clone) -> Self {
        let mut build = Self {
            digests: HashMap::new(),
            reified: summaries
                .clone()
                .flat_map(|summary| summary.reified.iter().copied())
                .collect(),
        };
        for export in summaries.flat_map(|summary| &summary.exports) {
            let digest = match build.reified.contains(&export.key) {
                true => with_caller(export.digest),
                false => export.digest,
            };
            if export.weak {
                build.digests.entry(export.key).or_insert(digest);
            } else {
                build.digests.insert(export.key, digest);
            }
        }
        build
    }

    /// What the object with this summary lacks.
    pub(crate) fn around(&self, summary: &Summary) -> Context {
        let known = summary.imports.iter().filter_map(|import| {
            let digest = *self.digests.get(&import.key)?;
            (digest != 0).then_some((import.key, digest))
        });
        let own = summary.exports.iter().map(|export| export.key);
        let mut reified: Vec<u64> = own
            .filter(|key| self.reified.contains(key))
            .chain(summary.reified.iter().copied())
            .collect();
        reified.sort_unstable();
        reified.dedup();
        Context {
            imports: known.collect(),
            reified,
        }
    }
}

/// The digest of a function that gets its caller's place as a hidden argument.
fn with_caller(digest: u64) -> u64 {
    digest.rotate_left(1) ^ 0x7472_6163_6B5F_6362
}

impl Context {
    /// Hash of it: the same context, the same file.
    pub(crate) fn hash(&self) -> u128 {
        let mut hasher = blake3::Hasher::new();
        self.add_to(&mut hasher);
        truncate(&hasher)
    }

    /// The ids of an object that had `ids` without it.
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
        for (key, digest) in &self.imports {
            hasher.update(&key.to_le_bytes());
            hasher.update(&digest.to_le_bytes());
        }
        hasher.update(b"reified");
        for key in &self.reified {
            hasher.update(&key.to_le_bytes());
        }
    }

    /// Writes it, and the ids that come of it, into the object.
    ///
    /// # Errors
    ///
    /// When the object is not one that this builder has processed.
    pub(crate) fn write(&self, name: &str, object: &mut [u8], ids: Ids) -> Result<()> {
        let parsed = linker::Object::parse(object, None);
        let parsed = parsed.map_err(|error| Error::object(name, error))?;
        let (mut header, place) = (parsed.metadata.header, parsed.metadata_place.clone());
        let items: Vec<Item> = parsed.metadata.items.iter().collect();
        let symbols: Vec<Symbol> = parsed.metadata.symbols.iter().collect();
        let metadata = object.get_mut(place).unwrap_or_default();
        header.exact_id = ids.exact;
        header.content_id = ids.content;
        put(metadata, 0, &header);
        let start = offset(header.items.offset);
        for (index, item) in items.into_iter().enumerate() {
            if let Some(digest) = self.digest_of(&item) {
                let item = Item { digest, ..item };
                put(metadata, start + index * Item::SIZE, &item);
            }
        }
        let start = offset(header.symbols.offset);
        for (index, symbol) in symbols.into_iter().enumerate() {
            if symbol.digest != 0 && self.reified.contains(&symbol.key) {
                let digest = with_caller(symbol.digest);
                let symbol = Symbol { digest, ..symbol };
                put(metadata, start + index * Symbol::SIZE, &symbol);
            }
        }
        Ok(())
    }

    /// The digest that an item has in the build, if it is not the one that it has already.
    fn digest_of(&self, item: &Item) -> Option<u64> {
        match ItemKind::from_number(item.kind)? {
            ItemKind::Import => self.imports.get(&item.key).copied(),
            ItemKind::Function if self.reified.contains(&item.key) => {
                Some(with_caller(item.digest))
            }
            _ => None,
        }
    }
}

fn offset(offset: u32) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
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

    fn summary(exports: &[(u64, u64, bool)], imports: &[u64], reified: &[u64]) -> Summary {
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
            reified: reified.to_vec(),
            violations: Vec::new(),
        }
    }

    #[test]
    fn an_import_has_the_digest_of_its_strong_definition() {
        let build = [
            summary(&[(1, 10, false), (2, 0, false)], &[], &[]),
            summary(&[(1, 11, true), (3, 30, true)], &[], &[]),
        ];
        let context = Surroundings::of(build.iter()).around(&summary(&[], &[3, 2, 1, 9], &[]));
        assert_eq!(context.imports, BTreeMap::from([(1, 10), (3, 30)]));
    }

    #[test]
    fn a_function_reified_anywhere_has_another_digest_everywhere() {
        let definer = summary(&[(1, 10, false), (2, 20, false)], &[], &[]);
        let user = summary(&[], &[1, 2], &[1]);
        let build = Surroundings::of([&definer, &user].into_iter());
        assert_eq!(build.around(&definer).reified, [1]);
        let imports = build.around(&user).imports;
        assert_ne!(imports.get(&1), Some(&10));
        assert_eq!(imports.get(&2), Some(&20));
    }

    #[test]
    fn another_context_is_another_object() {
        let ids = Ids {
            exact: 5,
            content: 6,
        };
        let one = Context {
            imports: BTreeMap::from([(1, 10)]),
            reified: Vec::new(),
        };
        let other = Context {
            imports: BTreeMap::from([(1, 11)]),
            reified: Vec::new(),
        };
        assert_ne!(one.ids(ids), other.ids(ids));
        assert_ne!(one.hash(), other.hash());
        assert_eq!(one.ids(ids), one.ids(ids));
    }
}
