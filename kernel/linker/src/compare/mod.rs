//! Whether one build of a component can take the place of another while it runs.
//!
//! Two builds fit when everything that both name has the same digest. What is new is fine. A
//! function that vanished keeps its old code for those who still hold its address. A static that
//! vanished is refused, since its value would be lost without a word. A first value that changed is
//! reported only: the running value stays. Closures have no name but their ordinal, so when those of
//! a function changed, the old ones keep their old code.
//!
//! The comparison only reads; what to do with its result is the swap's business. It looks for words to
//! explain a difference with only after it has found one.

mod explain;

use crate::format::metadata::{Item, ItemKind, Metadata, STATE_NOT_TRANSFERABLE};
use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;
use explain::Culprits;

/// What comparing two builds of a component found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// What both name and what differs, or is lost: each is a reason to refuse.
    pub differences: Vec<Difference>,
    /// One build has state that cannot be carried over, and the builds are not the same.
    pub state_not_transferable: bool,
    /// The builds come from different toolchains or code-generation flags.
    pub other_toolchain: bool,
    /// Functions that the new build does not have: they keep their old code.
    pub vanished_functions: Vec<String>,
    /// Functions whose closures changed. These, and the copies of generic functions that were made
    /// for them, both builds have by name, but not for the same thing: the old ones keep their old
    /// code, since a stub belongs to a shape.
    pub changed_closures: Vec<String>,
    /// Statics whose first value changed: their running value stays.
    pub changed_initial_values: Vec<String>,
    /// Functions and statics that only the new build has.
    pub added: Vec<String>,
}

impl Comparison {
    /// Whether the new build can take the old one's place.
    #[must_use]
    pub const fn fits(&self) -> bool {
        self.differences.is_empty() && !self.state_not_transferable && !self.other_toolchain
    }
}

/// Something that both builds name and that is not the same in both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What it is.
    pub kind: ItemKind,
    /// Its key.
    pub key: u64,
    /// Its path; empty for an import.
    pub name: String,
    /// Its shape in the old build.
    pub old_shape: String,
    /// Its shape in the new build; empty when it is gone.
    pub new_shape: String,
    /// The type of this component that it differs through, when its own shape reads the same.
    pub cause: Option<String>,
    /// How it differs, such as "field `b` was u64 @8, is u32 @8".
    pub how: String,
}

impl core::fmt::Display for Difference {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let kind = match self.kind {
            ItemKind::Type => "type",
            ItemKind::Function => "function",
            ItemKind::Static | ItemKind::InitialValue => "static",
            ItemKind::Vtable => "vtable",
            ItemKind::Import => "import",
            ItemKind::Closures => "closures of",
            ItemKind::Trait => "trait",
            ItemKind::Method => "method",
        };
        if self.name.is_empty() {
            write!(f, "{kind} {:#018x}: ", self.key)?;
        } else {
            write!(f, "{kind} `{}`: ", self.name)?;
        }
        match &self.cause {
            Some(cause) => write!(f, "through `{cause}`, {}", self.how),
            None => f.write_str(&self.how),
        }
    }
}

/// Compares two builds of one component.
#[must_use]
pub fn compare(old: &Metadata<'_>, new: &Metadata<'_>) -> Comparison {
    let state_is_bound = (old.header.flags | new.header.flags) & STATE_NOT_TRANSFERABLE != 0;
    let mut result = Comparison {
        state_not_transferable: state_is_bound && old.header.exact_id != new.header.exact_id,
        other_toolchain: old.header.toolchain != new.header.toolchain,
        ..Comparison::default()
    };
    let mut differing = Vec::new();
    for pair in pairs(old, new) {
        match pair {
            Pair::Both(before, after) if before.digest == after.digest => {}
            Pair::Both(before, after) => differing.push((before, after)),
            Pair::Old(item) => result.vanished(old, item),
            Pair::New(item) => result.appeared(old, new, item),
        }
    }
    let culprits = Culprits::new(old, new, &differing);
    for (before, after) in differing {
        result.differs(old, new, (before, after), &culprits);
    }
    result
}

impl Comparison {
    fn vanished(&mut self, old: &Metadata<'_>, item: Item) {
        let name = text(old, item.name).to_owned();
        match ItemKind::from_number(item.kind) {
            Some(ItemKind::Function) => self.vanished_functions.push(name),
            Some(kind @ ItemKind::Static) => self.differences.push(Difference {
                kind,
                key: item.key,
                name,
                old_shape: text(old, item.shape).to_owned(),
                new_shape: String::new(),
                cause: None,
                how: "static removed".to_owned(),
            }),
            // Nobody of the new build needs them; who of the old one does, keeps them.
            _ => {}
        }
    }

    fn appeared(&mut self, old: &Metadata<'_>, new: &Metadata<'_>, item: Item) {
        let name = text(new, item.name);
        match ItemKind::from_number(item.kind) {
            // They are numbered in order: one more may have taken the number of another.
            Some(kind @ ItemKind::Static) if count(old, kind, name) != 0 => {
                let (before, after) = (count(old, kind, name), count(new, kind, name));
                self.differences.push(Difference {
                    kind,
                    key: item.key,
                    name: name.to_owned(),
                    old_shape: String::new(),
                    new_shape: text(new, item.shape).to_owned(),
                    cause: None,
                    how: format!("statics of this name: {before} before, {after} now"),
                });
            }
            Some(ItemKind::Function | ItemKind::Static) => self.added.push(name.to_owned()),
            _ => {}
        }
    }

    fn differs(
        &mut self,
        old: &Metadata<'_>,
        new: &Metadata<'_>,
        (before, after): (Item, Item),
        culprits: &Culprits<'_>,
    ) {
        let Some(kind) = ItemKind::from_number(before.kind) else {
            return;
        };
        let name = text(old, before.name);
        match kind {
            ItemKind::InitialValue => self.changed_initial_values.push(name.to_owned()),
            ItemKind::Closures => self.changed_closures.push(name.to_owned()),
            // Whoever has an old closure has its old stub and its old vtable.
            ItemKind::Function | ItemKind::Vtable if mentions_closure(name) => {}
            // What it imports has to be what its definer defines, which `survivor` compares: there it
            // has a name.
            ItemKind::Import => {}
            _ => {
                let old_shape = text(old, before.shape);
                let new_shape = text(new, after.shape);
                let (cause, how) = culprits.explain(name, old_shape, new_shape);
                self.differences.push(Difference {
                    kind,
                    key: before.key,
                    name: name.to_owned(),
                    old_shape: old_shape.to_owned(),
                    new_shape: new_shape.to_owned(),
                    cause,
                    how,
                });
            }
        }
    }
}

/// An item of either build, or of both.
enum Pair {
    Old(Item),
    New(Item),
    Both(Item, Item),
}

/// The items of both builds, merged by kind and key.
fn pairs(old: &Metadata<'_>, new: &Metadata<'_>) -> impl Iterator<Item = Pair> {
    let mut old = old.items.iter().peekable();
    let mut new = new.items.iter().peekable();
    core::iter::from_fn(move || {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => (a.kind, a.key).cmp(&(b.kind, b.key)),
        };
        match order {
            Ordering::Less => old.next().map(Pair::Old),
            Ordering::Greater => new.next().map(Pair::New),
            Ordering::Equal => old.next().zip(new.next()).map(|(a, b)| Pair::Both(a, b)),
        }
    })
}

/// How many items of this kind have this name.
fn count(metadata: &Metadata<'_>, kind: ItemKind, name: &str) -> usize {
    metadata
        .items
        .iter()
        .filter(|item| item.kind == kind as u32 && text(metadata, item.name) == name)
        .count()
}

/// Whether the name is a closure's or has one in it; coroutines count.
fn mentions_closure(name: &str) -> bool {
    [
        "{closure#",
        "{closure_env#",
        "{async_",
        "{coroutine",
        "{gen_",
    ]
    .iter()
    .any(|mark| name.contains(mark))
}

fn text<'m>(metadata: &Metadata<'m>, span: crate::format::Span) -> &'m str {
    metadata.strings.get(span).unwrap_or("")
}

#[cfg(test)]
pub(crate) mod tests;
