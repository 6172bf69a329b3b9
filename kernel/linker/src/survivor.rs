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

/// Types and vtables that both name: the tables are sorted, so one pass over both finds them.
fn shared_shapes<'m>(one: &Metadata<'m>, other: &Metadata<'m>) -> Option<Conflict<'m>> {
    let (mut ones, mut others) = (one.items.iter().peekable(), other.items.iter().peekable());
    while let (Some(a), Some(b)) = (ones.peek(), others.peek()) {
        match (a.kind, a.key).cmp(&(b.kind, b.key)) {
            Ordering::Less => drop(ones.next()),
            Ordering::Greater => drop(others.next()),
            Ordering::Equal => {
                let compared = a.kind == ItemKind::Type as u32 || a.kind == ItemKind::Vtable as u32;
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
