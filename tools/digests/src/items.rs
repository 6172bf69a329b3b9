//! All items of an object, in one list.

use crate::elf::Elf;
use crate::functions::{Functions, Shape};
use crate::graph::{DebugSections, Graph};
use crate::names::{display_name, is_ambiguous, key_name, mentions_closure};
use crate::statics::{
    MutableStatic, StaticProblem, check_statics, initial_value, mutable_statics, variables,
};
use crate::types::{Types, put_number};
use crate::vtables::{Trait, Vtable, vtables};
use crate::{DigestError, ItemKind};
use gimli::constants as dw;
use std::collections::BTreeMap;
use xxhash_rust::xxh3::xxh3_64;

/// Something whose shape both sides of a swap must agree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What it is.
    pub kind: ItemKind,
    /// What [`crate::key`] makes its key of: [`key_name`] of its symbol, or its path.
    pub key_name: String,
    /// The digest of its shape, or 0 when the debug information does not have it.
    pub digest: u64,
    /// Its path as a person writes it; empty for imports.
    pub name: String,
    /// Its shape in one line; empty for what other crates define.
    pub shape: String,
}

/// What an object says of itself.
#[derive(Clone, Debug)]
pub struct Analysis {
    /// Its items, sorted by kind and key name, each pair of which occurs once.
    pub items: Vec<Item>,
    /// Its mutable statics.
    pub statics: Vec<MutableStatic>,
    /// Those of them whose storage cannot be carried to another build.
    pub static_problems: Vec<StaticProblem>,
}

/// Reads the shapes in `object`, an object file of the crate `crate_name` (with underscores) as the
/// compiler wrote it.
///
/// # Errors
///
/// When the bytes are not an object, or its debug information is malformed.
pub fn analyse(object: &[u8], crate_name: &str) -> Result<Analysis, DigestError> {
    let elf = Elf::parse(object)?;
    let sections = DebugSections::load(&elf)?;
    let graph = Graph::parse(&sections)?;
    let types = Types::new(&graph)?;
    let mut items = Items {
        crate_name,
        found: BTreeMap::new(),
    };
    items.types(&types)?;
    let functions = Functions::new(&types)?;
    items.functions(&elf, &functions)?;
    items.statics(&elf, &types)?;
    for vtable in vtables(&elf, &types, &functions)? {
        if let Some(Trait {
            path,
            order,
            methods,
        }) = vtable.trait_
        {
            items.add(ItemKind::Trait, path.clone(), path, order);
            for (path, shape) in methods {
                items.add(ItemKind::Method, path.clone(), path, shape);
            }
        }
        let Vtable { name, shape, .. } = vtable;
        items.add(ItemKind::Vtable, name.clone(), name, shape);
    }
    Ok(Analysis {
        items: items.finish(),
        statics: mutable_statics(&elf),
        static_problems: check_statics(&elf, &types)?,
    })
}

/// Crates of the toolchain: another toolchain is another system, so their types need no digest.
pub(crate) const TOOLCHAIN: [&str; 4] = ["core", "alloc", "std", "compiler_builtins"];

/// Items in the making.
struct Items<'c> {
    crate_name: &'c str,
    /// By kind and key name. Where several share a key name (types of one name in two blocks of a
    /// function), together they are one item.
    found: BTreeMap<(ItemKind, String), Vec<(String, Shape)>>,
}

impl Items<'_> {
    fn add(&mut self, kind: ItemKind, key_name: String, name: String, shape: Shape) {
        self.found
            .entry((kind, key_name))
            .or_default()
            .push((name, shape));
    }

    fn types(&mut self, types: &Types<'_, '_>) -> Result<(), DigestError> {
        for id in types.graph.ids() {
            let node = types.graph.node(id);
            let in_namespace = node
                .parent
                .is_some_and(|parent| types.graph.node(parent).tag == dw::DW_TAG_namespace);
            let named = matches!(
                node.tag,
                dw::DW_TAG_structure_type | dw::DW_TAG_union_type | dw::DW_TAG_enumeration_type
            );
            let name = types.name(Some(id));
            let home = name.split("::").next().unwrap_or_default();
            // A closure's type has no lasting name; its function's item covers it. One of several
            // types of a path is covered by the items that reach it.
            let nameless = mentions_closure(name) || is_ambiguous(name);
            if !in_namespace || !named || nameless || TOOLCHAIN.contains(&home) {
                continue;
            }
            let text = if home == self.crate_name {
                types.shape(id)?
            } else {
                String::new()
            };
            let shape = Shape {
                digest: types.digest(Some(id)),
                text,
            };
            self.add(ItemKind::Type, name.to_owned(), name.to_owned(), shape);
        }
        Ok(())
    }

    fn functions(
        &mut self,
        elf: &Elf<'_>,
        functions: &Functions<'_, '_, '_>,
    ) -> Result<(), DigestError> {
        let unknown = || Shape {
            digest: 0,
            text: String::new(),
        };
        for symbol in elf.functions() {
            let shape = functions.shape(symbol.name)?.unwrap_or_else(unknown);
            self.add(
                ItemKind::Function,
                key_name(symbol.name),
                display_name(symbol.name),
                shape,
            );
        }
        for &import in &elf.imports {
            let digest = functions.imported(import)?.map_or(0, |shape| shape.digest);
            let shape = Shape {
                digest,
                text: String::new(),
            };
            self.add(ItemKind::Import, key_name(import), String::new(), shape);
        }
        let own = format!("{}[", self.crate_name);
        for (owner, shape) in functions
            .closures()
            .filter(|(owner, _)| owner.contains(&own))
        {
            self.add(
                ItemKind::Closures,
                owner.to_owned(),
                without_hashes(owner),
                shape,
            );
        }
        Ok(())
    }

    fn statics(&mut self, elf: &Elf<'_>, types: &Types<'_, '_>) -> Result<(), DigestError> {
        let variables = variables(types.graph);
        for (symbol, _) in elf.state() {
            let type_ = match variables.get(symbol.name) {
                Some(&variable) => types.graph.type_of(variable)?,
                None => None,
            };
            let digest = type_.map_or(0, |id| types.digest(Some(id)));
            let type_name = type_.map_or("unknown type", |id| types.name(Some(id)));
            let text = format!("{type_name} size {}", symbol.size);
            let (key_name, name) = (key_name(symbol.name), display_name(symbol.name));
            self.add(
                ItemKind::Static,
                key_name.clone(),
                name.clone(),
                Shape { digest, text },
            );
            let value = Shape {
                digest: initial_value(elf, symbol),
                text: String::new(),
            };
            self.add(ItemKind::InitialValue, key_name, name, value);
        }
        Ok(())
    }

    fn finish(self) -> Vec<Item> {
        self.found
            .into_iter()
            .filter_map(|((kind, key_name), mut same)| {
                same.sort_by_key(|(_, shape)| shape.digest);
                same.dedup_by_key(|(_, shape)| shape.digest);
                let digest = match same.as_slice() {
                    [(_, only)] => only.digest,
                    several => {
                        let mut bytes = Vec::new();
                        several
                            .iter()
                            .for_each(|(_, one)| put_number(&mut bytes, one.digest));
                        xxh3_64(&bytes)
                    }
                };
                let (name, shape) = same.into_iter().next()?;
                Some(Item {
                    kind,
                    key_name,
                    digest,
                    name,
                    shape: shape.text,
                })
            })
            .collect()
    }
}

/// `path` without the hashes behind the names of crates: `a[1f]::b` becomes `a::b`.
fn without_hashes(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('[') {
        out.push_str(before);
        let hash = after.split_once(']').filter(|(hash, _)| {
            let hexadecimal = hash.bytes().all(|byte| byte.is_ascii_hexdigit());
            // `[u8]` is a type, not a hash: a hash stands behind a name.
            hexadecimal && before.ends_with(|c: char| c.is_alphanumeric() || c == '_')
        });
        match hash {
            Some((_, tail)) => rest = tail,
            None => {
                out.push('[');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}
