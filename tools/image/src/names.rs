//! Keys: what names a symbol in every build of its crate, and in every object that mentions it.
//!
//! A key is the hash of the name that [`digests::key_name`] makes of a symbol. Two things are added
//! for symbols that no other object can mention. A crate's own copy of another crate's inlined
//! function gets the crate's name, so that the copies of two crates are not taken for one function;
//! and equal names inside one object (only the prebuilt ones have them) are numbered.

use linker::format::metadata::Class;
use std::collections::BTreeMap;

/// What a symbol is called by people and by other objects.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Identity {
    /// What [`digests::key_name`] says, and the owner of a copy.
    pub name: String,
    /// Number among the symbols of one object with the same name.
    pub ordinal: u32,
}

/// A symbol as its object describes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its class.
    pub class: Class,
    /// Whether other objects cannot see it.
    pub local: bool,
}

impl Identity {
    fn new(symbol: Named<'_>, component: &str) -> Self {
        let mut name = digests::key_name(symbol.name);
        if symbol.local && !name.contains(" in ") && !is_at_home(symbol.name, component) {
            name.push_str(" of ");
            name.push_str(component);
        }
        Self { name, ordinal: 0 }
    }

    /// The key: never 0, which stands for "no name".
    pub(crate) fn key(&self) -> u64 {
        if self.ordinal == 0 {
            return digests::key(&self.name);
        }
        digests::key(&format!("{} copy {}", self.name, self.ordinal))
    }
}

/// The identities of the symbols of an object of `component`; `None` for what has no name.
pub(crate) fn identities(component: &str, symbols: &[Named<'_>]) -> Vec<Option<Identity>> {
    let mut count: BTreeMap<Identity, u32> = BTreeMap::new();
    let identity = |symbol: &Named<'_>| {
        if symbol.name.is_empty() || symbol.class == Class::Other {
            return None;
        }
        let mut identity = Identity::new(*symbol, component);
        let next = count.entry(identity.clone()).or_default();
        identity.ordinal = *next;
        *next += 1;
        Some(identity)
    };
    symbols.iter().map(identity).collect()
}

/// Whether the first crate in the mangled name is `component`: the one that the path begins in.
fn is_at_home(name: &str, component: &str) -> bool {
    let Some(mangled) = name.strip_prefix("_R") else {
        return false;
    };
    let crates = mangled.match_indices('C').map(|(position, _)| position);
    let mut names = crates.filter_map(|position| crate_name(mangled.get(position..)?));
    names.next() == Some(component)
}

/// The name in `C [s <base-62> _] <length> [_] <name>` (RFC 2603, crate roots).
fn crate_name(mangled: &str) -> Option<&str> {
    let mut rest = mangled.strip_prefix('C')?;
    if let Some(after) = rest.strip_prefix('s') {
        let (disambiguator, after) = after.split_once('_')?;
        if !disambiguator.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return None;
        }
        rest = after;
    }
    let digits = rest.find(|c: char| !c.is_ascii_digit())?;
    let (length, rest) = rest.split_at_checked(digits)?;
    let length: usize = length.parse().ok().filter(|&length| length > 0)?;
    rest.strip_prefix('_').unwrap_or(rest).get(..length)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "_RNvMNtCs1_4core3fmtNtB2_9Formatter3pad";
    const SECOND: &str = "_RNvMs1_NtCs1_4core3fmtNtB5_9Formatter3pad";

    fn name(name: &str, component: &str, local: bool) -> String {
        let class = Class::Function;
        Identity::new(Named { name, class, local }, component).name
    }

    #[test]
    fn the_number_of_an_impl_block_does_not_matter() {
        assert_eq!(name(FIRST, "user", false), name(SECOND, "user", false));
    }

    #[test]
    fn a_name_that_is_not_mangled_stands_for_itself() {
        assert_eq!(name("memcpy", "memops", false), "memcpy");
        assert_eq!(name(".Lpart", "memops", true), ".Lpart of memops");
    }

    #[test]
    fn a_copy_belongs_to_the_crate_that_has_it() {
        let symbol = "_RNvCs1_4core4swap";
        assert_eq!(
            name(symbol, "a", true),
            format!("{} of a", digests::key_name(symbol))
        );
        assert_eq!(name(symbol, "a", false), digests::key_name(symbol));
        assert_eq!(name(symbol, "core", true), digests::key_name(symbol));
        let generic = "_RINvCs1_4core4swaphECs5_1a";
        assert_eq!(name(generic, "a", true), digests::key_name(generic));
    }

    #[test]
    fn equal_names_in_one_object_are_numbered() {
        let symbol = Named {
            name: FIRST,
            class: Class::Function,
            local: true,
        };
        let found = identities("core", &[symbol, symbol]);
        let ordinals: Vec<_> = found
            .iter()
            .flatten()
            .map(|identity| identity.ordinal)
            .collect();
        assert_eq!(ordinals, [0, 1]);
        let keys: Vec<_> = found.iter().flatten().map(Identity::key).collect();
        assert_ne!(keys[0], keys[1]);
    }
}
