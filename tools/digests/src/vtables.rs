//! Vtables: which type they are of, and which method stands where.
//!
//! The debug information names the type and the trait but not the order of the methods: that is
//! read from the relocations that fill the table.

use crate::DigestError;
use crate::elf::{Elf, Place, Target};
use crate::functions::Shape;
use crate::graph::{Node, NodeId};
use crate::items::TOOLCHAIN;
use crate::names::{display_name, is_ambiguous};
use crate::types::{Types, put_number, put_text};
use gimli::constants as dw;
use xxhash_rust::xxh3::xxh3_64;

/// Words before the methods: drop glue, size, alignment.
const HEADER_WORDS: u64 = 3;
const WORD: u64 = 8;

/// A vtable: its name, `<T as Trait>::{vtable}`, its shape, and that of its trait.
pub(crate) struct Vtable {
    pub(crate) name: String,
    pub(crate) shape: Shape,
    /// The trait's path and the names of its methods in the order of the table, supertraits' too.
    pub(crate) trait_: Option<(String, Shape)>,
}

/// The vtables in the object.
pub(crate) fn vtables(elf: &Elf<'_>, types: &Types<'_, '_>) -> Result<Vec<Vtable>, DigestError> {
    let mut vtables = Vec::new();
    for id in types.graph.ids() {
        let node = types.graph.node(id);
        let Some((name, place)) = vtable(node) else {
            continue;
        };
        let Some(table) = types.graph.type_of(id)? else {
            continue;
        };
        let concrete = types.graph.containing_type(table)?;
        // Of several types of one path the vtables have in common the trait, so its order alone
        // can be compared.
        let concrete = concrete.filter(|_| !is_ambiguous(name));
        let methods = methods(elf, types, table, place);
        vtables.push(Vtable {
            name: name.to_owned(),
            shape: shape(types, concrete, &methods)?,
            trait_: trait_of(name).map(|path| (path.to_owned(), order(&methods))),
        });
    }
    Ok(vtables)
}

/// Name and place of the vtable that `node` describes.
pub(crate) fn vtable<'n>(node: &'n Node<'_>) -> Option<(&'n str, Place)> {
    let name = node
        .name
        .as_deref()
        .filter(|name| name.ends_with("::{vtable}"))?;
    (node.tag == dw::DW_TAG_variable).then_some((name, node.location?))
}

/// The methods of a vtable in their order, each as `Trait::method`; "-" for a vacant entry and for the
/// vtable of a supertrait.
fn methods(elf: &Elf<'_>, types: &Types<'_, '_>, table: NodeId, place: Place) -> Vec<String> {
    let words = types.graph.node(table).size.unwrap_or(0) / WORD;
    let pointers = elf.pointers(place.section);
    let name = |word: u64| {
        let target = pointers.get(&(place.offset + word * WORD))?;
        let symbol = match target {
            Target::Here(place) => elf.symbol_at(*place)?.name,
            Target::Import(name) => name,
            Target::Unknown => return None,
        };
        Some(method(&display_name(symbol)))
    };
    (HEADER_WORDS..words)
        .map(|word| name(word).unwrap_or_else(|| "-".to_owned()))
        .collect()
}

fn shape(
    types: &Types<'_, '_>,
    concrete: Option<NodeId>,
    methods: &[String],
) -> Result<Shape, DigestError> {
    let size = concrete.map_or(Ok(0), |id| types.size(id))?;
    // Of pointers and other built-in types the debug information has none.
    let align = concrete.map_or(0, |id| {
        types.graph.node(id).align.unwrap_or(size.clamp(1, WORD))
    });
    let mut bytes = Vec::new();
    put_number(&mut bytes, types.digest(concrete));
    let mut entries = vec!["drop".to_owned()];
    if concrete.is_some() {
        entries.extend([format!("size {size}"), format!("align {align}")]);
    }
    for name in methods {
        put_text(&mut bytes, name);
        entries.push(name.clone());
    }
    let text = format!("dyn order: [{}]", entries.join(", "));
    Ok(Shape {
        digest: xxh3_64(&bytes),
        text,
    })
}

/// The order of a trait's methods, by their bare names, which are the same for every type.
fn order(methods: &[String]) -> Shape {
    let names: Vec<&str> = methods.iter().map(|name| bare(name)).collect();
    let mut bytes = Vec::new();
    for name in &names {
        put_text(&mut bytes, name);
    }
    Shape {
        digest: xxh3_64(&bytes),
        text: format!("dyn order: [{}]", names.join(", ")),
    }
}

/// `method` of `Trait::method`, without generics and without the shims that some types need.
fn bare(name: &str) -> &str {
    let name = name.split("::{shim:").next().unwrap_or(name);
    let end = name.find("::<").unwrap_or(name.len());
    let name = name.get(..end).unwrap_or(name);
    name.rsplit("::").next().unwrap_or(name)
}

/// `Trait` of `<T as Trait>::{vtable}`; none for a trait of the toolchain, which stays as it is.
fn trait_of(name: &str) -> Option<&str> {
    let inner = name.strip_suffix(">::{vtable}")?.strip_prefix('<')?;
    let mut depth = 0_usize;
    let path = inner.char_indices().find_map(|(index, character)| {
        match character {
            '<' | '(' | '[' => depth += 1,
            // Not the `>` of `->`.
            '>' if inner
                .get(..index)
                .is_some_and(|before| before.ends_with('-')) => {}
            '>' | ')' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        let rest = inner.get(index..)?.strip_prefix(" as ")?;
        (depth == 0).then_some(rest)
    })?;
    let home = path.split("::").next().unwrap_or_default();
    (!TOOLCHAIN.contains(&home)).then_some(path)
}

/// `Trait::method` of `<T as Trait>::method`: the type is the same all over a vtable.
fn method(name: &str) -> String {
    let short = name.strip_prefix('<').and_then(|inner| {
        let (_, after) = inner.split_once(" as ")?;
        let (trait_, method) = after.rsplit_once(">::")?;
        Some(format!("{trait_}::{method}"))
    });
    short.unwrap_or_else(|| name.to_owned())
}
