//! Vtables: which type they are of, and which method stands where.
//!
//! The debug information names the type and the trait but not the order of the methods: that is
//! read from the relocations that fill the table.

use crate::DigestError;
use crate::elf::{Elf, Place, Target};
use crate::functions::{Functions, Shape};
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
    /// Of a trait that is not the toolchain's.
    pub(crate) trait_: Option<Trait>,
}

/// A trait as a vtable shows it.
pub(crate) struct Trait {
    /// Its path.
    pub(crate) path: String,
    /// Its methods in the order of the table, those of its supertraits too.
    pub(crate) order: Shape,
    /// The signatures of those methods of which this object has the code, by the method's path.
    pub(crate) methods: Vec<(String, Shape)>,
}

/// The vtables in the object.
pub(crate) fn vtables(
    elf: &Elf<'_>,
    types: &Types<'_, '_>,
    functions: &Functions<'_, '_, '_>,
) -> Result<Vec<Vtable>, DigestError> {
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
        let symbols = symbols(elf, types, table, place);
        let methods: Vec<String> = symbols
            .iter()
            .map(|symbol| symbol.map_or_else(|| "-".to_owned(), |it| method(&display_name(it))))
            .collect();
        let trait_ = match trait_of(name) {
            None => None,
            Some(path) => Some(Trait {
                path: path.to_owned(),
                order: order(&methods),
                methods: signatures(functions, &symbols, &methods)?,
            }),
        };
        vtables.push(Vtable {
            name: name.to_owned(),
            shape: shape(types, concrete, &methods)?,
            trait_,
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

/// The symbols in a vtable in their order; none for a vacant entry and for the vtable of a supertrait.
fn symbols<'d>(
    elf: &Elf<'d>,
    types: &Types<'_, '_>,
    table: NodeId,
    place: Place,
) -> Vec<Option<&'d str>> {
    let words = types.graph.node(table).size.unwrap_or(0) / WORD;
    let pointers = elf.pointers(place.section);
    let symbol = |word: u64| match pointers.get(&(place.offset + word * WORD))? {
        Target::Here(place) => Some(elf.symbol_at(*place)?.name),
        Target::Import(name) => Some(*name),
        Target::Unknown => None,
    };
    (HEADER_WORDS..words).map(symbol).collect()
}

/// The signatures of the methods of which the object has the code.
fn signatures(
    functions: &Functions<'_, '_, '_>,
    symbols: &[Option<&str>],
    methods: &[String],
) -> Result<Vec<(String, Shape)>, DigestError> {
    let mut found = Vec::new();
    for (symbol, method) in symbols.iter().zip(methods) {
        // A shim's receiver is not where the method's is.
        let Some(symbol) = symbol.filter(|_| !method.contains("{shim:")) else {
            continue;
        };
        if let Some(shape) = functions.method(symbol)? {
            found.push((bare(method).to_owned(), shape));
        }
    }
    Ok(found)
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

/// The order of a trait's methods, by their paths, which are the same for every type.
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

/// `Trait::method` without the shims that some types need.
fn bare(name: &str) -> &str {
    name.split("::{shim:").next().unwrap_or(name)
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
