//! Vtables: which type they are of, and which method stands where.
//!
//! The debug information names the type and the trait but not the order of the methods: that is
//! read from the relocations that fill the table.

use crate::DigestError;
use crate::elf::{Elf, Place, Target};
use crate::functions::Shape;
use crate::graph::{Node, NodeId};
use crate::names::{display_name, is_ambiguous};
use crate::types::{Types, put_number, put_text};
use gimli::constants as dw;
use xxhash_rust::xxh3::xxh3_64;

/// Words before the methods: drop glue, size, alignment.
const HEADER_WORDS: u64 = 3;
const WORD: u64 = 8;

/// The vtables in the object: the name of each, `<T as Trait>::{vtable}`, and its shape.
pub(crate) fn vtables(
    elf: &Elf<'_>,
    types: &Types<'_, '_>,
) -> Result<Vec<(String, Shape)>, DigestError> {
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
        vtables.push((name.to_owned(), shape(elf, types, table, concrete, place)?));
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

fn shape(
    elf: &Elf<'_>,
    types: &Types<'_, '_>,
    table: NodeId,
    concrete: Option<NodeId>,
    place: Place,
) -> Result<Shape, DigestError> {
    let size = concrete.map_or(Ok(0), |id| types.size(id))?;
    // Of pointers and other built-in types the debug information has none.
    let align = concrete.map_or(0, |id| {
        types.graph.node(id).align.unwrap_or(size.clamp(1, WORD))
    });
    let words = types.graph.node(table).size.unwrap_or(0) / WORD;
    let pointers = elf.pointers(place.section);
    let mut bytes = Vec::new();
    put_number(&mut bytes, types.digest(concrete));
    let mut entries = vec!["drop".to_owned()];
    if concrete.is_some() {
        entries.extend([format!("size {size}"), format!("align {align}")]);
    }
    for word in HEADER_WORDS..words {
        let symbol = pointers
            .get(&(place.offset + word * WORD))
            .and_then(|target| match target {
                Target::Here(place) => Some(elf.symbol_at(*place)?.name),
                Target::Import(name) => Some(name),
                Target::Unknown => None,
            });
        // A vacant entry, or the vtable of a supertrait.
        let symbol = symbol.unwrap_or("-");
        let name = method(&display_name(symbol));
        put_text(&mut bytes, &name);
        entries.push(name);
    }
    let text = format!("dyn order: [{}]", entries.join(", "));
    Ok(Shape {
        digest: xxh3_64(&bytes),
        text,
    })
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
