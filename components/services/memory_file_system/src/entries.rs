//! A directory's names: a hash table, so that the 10,000th is found like the first.
//!
//! All memory that an entry needs is taken before anything changes, so that a change is made whole or
//! not at all, whatever fails.

use crate::quota::{Exhausted, Quota, memory};
use alloc::{boxed::Box, string::String};
use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

/// From this capacity on, a table gives memory back when few entries are left.
const SHRUNK_FROM: usize = 64;

/// What the names of a directory stand for.
pub(crate) struct Entries<N> {
    table: HashTable<Entry<N>>,
    /// Bytes that were taken from the quota for the table.
    charged: u64,
}

struct Entry<N> {
    hash: u64,
    name: Box<str>,
    node: N,
}

/// A name to be entered, with the memory that it needs. Dropping it gives that back.
pub(crate) struct Name<'q> {
    quota: &'q Quota,
    hash: u64,
    text: Box<str>,
}

impl<'q> Name<'q> {
    /// Takes memory for `name`.
    pub(crate) fn new(name: &str, quota: &'q Quota) -> Result<Self, Exhausted> {
        let mut text = String::new();
        text.try_reserve_exact(name.len()).map_err(|_| Exhausted)?;
        text.push_str(name);
        quota.take(memory(name.len()))?;
        Ok(Self {
            quota,
            hash: xxh3_64(name.as_bytes()),
            text: text.into_boxed_str(),
        })
    }
}

impl Drop for Name<'_> {
    fn drop(&mut self) {
        self.quota.give_back(memory(self.text.len()));
    }
}

impl<N> Entries<N> {
    pub(crate) const fn new() -> Self {
        Self {
            table: HashTable::new(),
            charged: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Bytes that its table takes.
    pub(crate) const fn charged(&self) -> u64 {
        self.charged
    }

    pub(crate) fn get(&self, name: &str) -> Option<&N> {
        let hash = xxh3_64(name.as_bytes());
        let entry = self.table.find(hash, |entry| &*entry.name == name)?;
        Some(&entry.node)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &N)> {
        self.table.iter().map(|entry| (&*entry.name, &entry.node))
    }

    /// Takes memory for one more entry.
    pub(crate) fn reserve(&mut self, quota: &Quota) -> Result<(), Exhausted> {
        if self.table.len() < self.table.capacity() {
            return Ok(());
        }
        // Twice as many places, in a table that exists beside the old one while entries move; each
        // has a control byte, and some are spare.
        let places = self.table.capacity().max(2).saturating_mul(4);
        let most = memory(places.saturating_mul(size_of::<Entry<N>>() + 1) + 64);
        quota.take(most)?;
        let reserved = self.table.try_reserve(1, |entry| entry.hash);
        let now = memory(self.table.allocation_size());
        // What was predicted is given back, and what it has become is kept, which is less.
        let taken = most + self.charged;
        self.charged = now.min(taken);
        quota.give_back(taken - self.charged);
        reserved.map_err(|_| Exhausted)
    }

    /// Enters a name that is not there, after [`Entries::reserve`].
    pub(crate) fn insert(&mut self, mut name: Name<'_>, node: N) {
        let hash = name.hash;
        let name = core::mem::take(&mut name.text); // An empty name gives nothing back.
        let entry = Entry { hash, name, node };
        self.table.insert_unique(hash, entry, |entry| entry.hash);
    }

    /// Puts another node under a name that is there; returns the one before.
    pub(crate) fn replace(&mut self, name: &str, node: N) -> Option<N> {
        let hash = xxh3_64(name.as_bytes());
        let entry = self.table.find_mut(hash, |entry| &*entry.name == name)?;
        Some(core::mem::replace(&mut entry.node, node))
    }

    /// Takes a name out, and gives back the memory that it took.
    pub(crate) fn remove(&mut self, name: &str, quota: &Quota) -> Option<N> {
        let removed = self.remove_if(name, quota, |_| Ok::<(), core::convert::Infallible>(()));
        removed.unwrap_or(None)
    }

    /// The same, if `check` does not mind.
    pub(crate) fn remove_if<E>(
        &mut self,
        name: &str,
        quota: &Quota,
        check: impl FnOnce(&N) -> Result<(), E>,
    ) -> Result<Option<N>, E> {
        let hash = xxh3_64(name.as_bytes());
        let found = self.table.find_entry(hash, |entry| &*entry.name == name);
        let Ok(found) = found else {
            return Ok(None);
        };
        check(&found.get().node)?;
        let (entry, _) = found.remove();
        quota.give_back(memory(entry.name.len()));
        self.shrink(quota);
        Ok(Some(entry.node))
    }

    /// Gives back what a table takes that has had many more entries.
    fn shrink(&mut self, quota: &Quota) {
        if self.table.capacity() < SHRUNK_FROM || self.table.len() * 8 > self.table.capacity() {
            return;
        }
        self.table
            .shrink_to(self.table.len() * 2, |entry| entry.hash);
        let now = memory(self.table.allocation_size());
        quota.give_back(self.charged.saturating_sub(now));
        self.charged = now;
    }
}

impl<N> core::fmt::Debug for Entries<N> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list()
            .entries(self.iter().map(|(name, _)| name))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::{Entries, Name};
    use crate::quota::Quota;
    use alloc::{collections::BTreeMap, format, string::String};

    fn insert(entries: &mut Entries<u32>, quota: &Quota, name: &str, node: u32) -> bool {
        let Ok(new) = Name::new(name, quota) else {
            return false;
        };
        let reserved = entries.reserve(quota).is_ok();
        if reserved {
            entries.insert(new, node);
        }
        reserved
    }

    #[test]
    fn does_what_a_map_does() {
        let quota = Quota::new(16 << 20);
        let mut entries = Entries::new();
        let mut map: BTreeMap<String, u32> = BTreeMap::new();
        let mut state = 5_u64;
        for round in 0..20_000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let name = format!("name-{}", (state >> 33) % 500);
            match (state >> 60) % 4 {
                0 => assert_eq!(entries.remove(&name, &quota), map.remove(&name)),
                1 => {
                    let before = map
                        .get_mut(&name)
                        .map(|node| core::mem::replace(node, round));
                    assert_eq!(entries.replace(&name, round), before);
                }
                _ if !map.contains_key(&name) => {
                    assert!(insert(&mut entries, &quota, &name, round));
                    map.insert(name.clone(), round);
                }
                _ => {}
            }
            assert_eq!(entries.get(&name), map.get(&name));
            assert_eq!(entries.len(), map.len());
        }
        assert!(
            entries
                .iter()
                .all(|(name, node)| map.get(name) == Some(node))
        );
    }

    #[test]
    fn ten_thousand_names_come_and_go() {
        let quota = Quota::new(16 << 20);
        let mut entries = Entries::new();
        for number in 0..10_000 {
            assert!(insert(&mut entries, &quota, &format!("{number}"), number));
        }
        assert_eq!(entries.get("9999"), Some(&9999));
        let most = quota.used();
        for number in 0..10_000 {
            assert_eq!(entries.remove(&format!("{number}"), &quota), Some(number));
        }
        assert!(entries.is_empty());
        assert_eq!(quota.used(), entries.charged());
        assert!(quota.used() < most / 20, "{} of {most}", quota.used());
    }

    #[test]
    fn a_full_quota_changes_nothing() {
        let quota = Quota::new(4000);
        let mut entries = Entries::new();
        let count = (0..1000)
            .take_while(|number| insert(&mut entries, &quota, &format!("{number}"), *number))
            .count();
        assert!((10..100).contains(&count), "{count}");
        assert_eq!(entries.len(), count);
        for number in 0..u32::try_from(count).unwrap() {
            assert_eq!(entries.get(&format!("{number}")), Some(&number));
        }
        assert!(quota.used() <= 4000);
    }
}
