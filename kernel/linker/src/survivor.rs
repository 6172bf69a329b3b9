//! Whether an object fits beside a component of another build.
//!
//! Replacing a component is the business of the comparison of builds; this is about two
//! *different* components: what both name must be the same in both, and what one imports must be what
//! the other defines.

use crate::format::metadata::{Item, ItemKind, Metadata};
use core::cmp::Ordering;

/// Something that two components name and see differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict<'m> {
    /// What it is.
    pub kind: ItemKind,
    /// Its key.
    pub key: u64,
    /// Its path, as far as either component knows it.
    pub name: &'m str,
}

/// The first thing that two components see differently.
#[must_use]
pub fn conflict<'m>(one: &Metadata<'m>, other: &Metadata<'m>) -> Option<Conflict<'m>> {
    shared_shapes(one, other)
        .or_else(|| imports(one, other))
        .or_else(|| imports(other, one))
}

/// Types, vtables and traits that both name: the tables are sorted, so one pass over both finds them.
fn shared_shapes<'m>(one: &Metadata<'m>, other: &Metadata<'m>) -> Option<Conflict<'m>> {
    let (mut ones, mut others) = (one.items.iter().peekable(), other.items.iter().peekable());
    while let (Some(a), Some(b)) = (ones.peek(), others.peek()) {
        match (a.kind, a.key).cmp(&(b.kind, b.key)) {
            Ordering::Less => drop(ones.next()),
            Ordering::Greater => drop(others.next()),
            Ordering::Equal => {
                let compared = [ItemKind::Type, ItemKind::Vtable, ItemKind::Trait]
                    .iter()
                    .any(|kind| *kind as u32 == a.kind);
                if compared && differ(a, b) {
                    return found(one, a, other, b);
                }
                ones.next();
                others.next();
            }
        }
    }
    None
}

/// Functions and statics that `user` imports and `definer` defines with another shape.
fn imports<'m>(user: &Metadata<'m>, definer: &Metadata<'m>) -> Option<Conflict<'m>> {
    user.items
        .iter()
        .filter(|item| item.kind == ItemKind::Import as u32)
        .find_map(|import| {
            let definition = definer
                .item(ItemKind::Function, import.key)
                .or_else(|| definer.item(ItemKind::Static, import.key))?;
            if differ(&import, &definition) {
                found(user, &import, definer, &definition)
            } else {
                None
            }
        })
}

/// Digest 0 means that the compiler left no type information: there is nothing to compare.
const fn differ(a: &Item, b: &Item) -> bool {
    a.digest != 0 && b.digest != 0 && a.digest != b.digest
}

fn found<'m>(one: &Metadata<'m>, a: &Item, other: &Metadata<'m>, b: &Item) -> Option<Conflict<'m>> {
    let names = [one.strings.get(a.name), other.strings.get(b.name)];
    let name = names
        .into_iter()
        .flatten()
        .find(|name| !name.is_empty())
        .unwrap_or("");
    Some(Conflict {
        kind: ItemKind::from_number(b.kind)?,
        key: a.key,
        name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::tests::{Row, metadata};
    use alloc::string::{String, ToString};

    fn conflict_of(one: &[Row], other: &[Row]) -> Option<String> {
        let (one, other) = (metadata(0, 1, one), metadata(0, 2, other));
        let (one, other) = (
            Metadata::parse(&one).unwrap(),
            Metadata::parse(&other).unwrap(),
        );
        conflict(&one, &other).map(|conflict| conflict.name.to_string())
    }

    #[test]
    fn a_type_that_both_name_must_be_the_same() {
        let one = [
            (ItemKind::Type, 1, 10, "a::T", ""),
            (ItemKind::Type, 2, 20, "a::U", ""),
        ];
        let other = [
            (ItemKind::Type, 2, 21, "", ""),
            (ItemKind::Type, 3, 30, "", ""),
        ];
        assert_eq!(conflict_of(&one, &other).as_deref(), Some("a::U"));
        assert_eq!(conflict_of(&other, &one).as_deref(), Some("a::U"));
        assert_eq!(conflict_of(&one, &one), None);
    }

    #[test]
    fn an_import_must_be_what_is_defined() {
        let user = [(ItemKind::Import, 5, 50, "", "")];
        for kind in [ItemKind::Function, ItemKind::Static] {
            let definer = |digest| [(kind, 5, digest, "a::f", "")];
            assert_eq!(conflict_of(&user, &definer(51)).as_deref(), Some("a::f"));
            assert_eq!(conflict_of(&definer(51), &user).as_deref(), Some("a::f"));
            assert_eq!(conflict_of(&user, &definer(50)), None);
        }
    }

    #[test]
    fn what_the_compiler_does_not_tell_cannot_differ() {
        let user = [
            (ItemKind::Import, 5, 50, "", ""),
            (ItemKind::Type, 6, 0, "", ""),
        ];
        let definer = [
            (ItemKind::Function, 5, 0, "a::f", ""),
            (ItemKind::Type, 6, 1, "", ""),
        ];
        assert_eq!(conflict_of(&user, &definer), None);
    }

    #[test]
    fn functions_of_one_path_in_two_components_are_two_functions() {
        let one = [(ItemKind::Function, 7, 70, "core::f", "")];
        let other = [(ItemKind::Function, 7, 71, "core::f", "")];
        assert_eq!(conflict_of(&one, &other), None);
    }
}
