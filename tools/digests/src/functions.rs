//! Functions: their signatures, and the closures that stand in them.

use crate::DigestError;
use crate::graph::{Graph, Node, NodeId};
use crate::names::{closure_owners, plain_name};
use crate::types::{Types, put_number, put_text, signature_text};
use gimli::constants as dw;
use std::collections::{BTreeMap, HashMap};
use xxhash_rust::xxh3::xxh3_64;

/// The shape of something: its digest, and one line for people.
pub(crate) struct Shape {
    pub(crate) digest: u64,
    pub(crate) text: String,
}

/// The functions that the debug information describes.
pub(crate) struct Functions<'t, 'g, 'd> {
    types: &'t Types<'g, 'd>,
    /// By symbol: the entry that has the parameters.
    by_symbol: HashMap<&'d str, NodeId>,
    /// By the function that they stand in (demangled): each closure's type and its digest. Not the
    /// signature: of a closure whose every call was inlined, it is known in part only.
    closures: BTreeMap<String, BTreeMap<String, u64>>,
}

impl<'t, 'g, 'd> Functions<'t, 'g, 'd> {
    pub(crate) fn new(types: &'t Types<'g, 'd>) -> Result<Self, DigestError> {
        let by_symbol = by_symbol(types.graph);
        let mut closures = BTreeMap::<String, BTreeMap<String, u64>>::new();
        for (symbol, &id) in &by_symbol {
            if !is_closure(types.graph.node(id)) {
                continue;
            }
            let name = plain_name(symbol);
            if let Some(owner) = owner_of_closure(&name) {
                let environments = environments(types, id);
                closures
                    .entry(owner.to_owned())
                    .or_default()
                    .extend(environments);
            }
        }
        Ok(Self {
            types,
            by_symbol,
            closures,
        })
    }

    /// The signature of the function with this symbol, as far as the debug information has it.
    ///
    /// A function that closures are part of is what it is only together with them: they are named
    /// by ordinal, and another closure may take the name.
    pub(crate) fn shape(&self, symbol: &str) -> Result<Option<Shape>, DigestError> {
        let Some(&id) = self.by_symbol.get(symbol) else {
            return Ok(None);
        };
        let mut shape = self.signature(id)?;
        let name = plain_name(symbol);
        let owners = closure_owners(&name);
        if !owners.is_empty() {
            let mut bytes = shape.digest.to_le_bytes().to_vec();
            for closures in owners.iter().filter_map(|&owner| self.closures.get(owner)) {
                put_number(&mut bytes, closures_digest(closures));
            }
            shape.digest = xxh3_64(&bytes);
        }
        Ok(Some(shape))
    }

    /// The signature of an imported function. Only where the debug information declares it: what
    /// it says of an inlined body may lack parameters that have no name.
    pub(crate) fn imported(&self, symbol: &str) -> Result<Option<Shape>, DigestError> {
        match self.by_symbol.get(symbol) {
            Some(&id) if self.types.graph.node(id).declaration => self.shape(symbol),
            _ => Ok(None),
        }
    }

    /// The functions that have closures: demangled name and shape.
    pub(crate) fn closures(&self) -> impl Iterator<Item = (&str, Shape)> {
        self.closures.iter().map(|(owner, closures)| {
            let text = match closures.len() {
                1 => "1 closure".to_owned(),
                count => format!("{count} closures"),
            };
            (
                owner.as_str(),
                Shape {
                    digest: closures_digest(closures),
                    text,
                },
            )
        })
    }

    fn signature(&self, id: NodeId) -> Result<Shape, DigestError> {
        let graph = self.types.graph;
        let mut bytes = Vec::new();
        let mut names = Vec::new();
        if let Some(environment) = self.environment(id) {
            put_number(&mut bytes, self.types.digest(Some(environment)));
        }
        for (parameter, _) in self.types.parameters(id) {
            let parameter = graph.type_of(parameter)?;
            put_number(&mut bytes, self.types.digest(parameter));
            names.push(self.types.name(parameter).to_owned());
        }
        self.put_result(id, &mut bytes)?;
        let result = match graph.diverges(id)? {
            true => "!",
            false => self.types.name(graph.type_of(id)?),
        };
        let text = signature_text(&names, result);
        Ok(Shape {
            digest: xxh3_64(&bytes),
            text,
        })
    }

    /// What a function gives back. The debug information knows no type `!`, but says which functions
    /// do not return: what follows a call of one is no code.
    fn put_result(&self, id: NodeId, bytes: &mut Vec<u8>) -> Result<(), DigestError> {
        let graph = self.types.graph;
        put_text(bytes, if graph.diverges(id)? { "!" } else { "->" });
        put_number(bytes, self.types.digest(graph.type_of(id)?));
        Ok(())
    }

    /// The signature of a method without its receiver: what callers through a trait object count on,
    /// whatever type is behind it.
    pub(crate) fn method(&self, symbol: &str) -> Result<Option<Shape>, DigestError> {
        let Some(&id) = self.by_symbol.get(symbol) else {
            return Ok(None);
        };
        let graph = self.types.graph;
        let mut bytes = Vec::new();
        let mut names = vec!["&self".to_owned()];
        for (parameter, _) in self.types.parameters(id).skip(1) {
            let parameter = graph.type_of(parameter)?;
            put_number(&mut bytes, self.types.digest(parameter));
            names.push(self.types.name(parameter).to_owned());
        }
        self.put_result(id, &mut bytes)?;
        let text = signature_text(&names, self.types.name(graph.type_of(id)?));
        Ok(Some(Shape {
            digest: xxh3_64(&bytes),
            text,
        }))
    }

    /// The type of what a closure captures. It is not among the parameters when the compiler
    /// passes the captures one by one.
    fn environment(&self, id: NodeId) -> Option<NodeId> {
        let graph = self.types.graph;
        let node = graph.node(id);
        let name = node.name.as_ref().filter(|_| is_closure(node))?;
        let wanted = name.replacen("{closure#", "{closure_env#", 1);
        graph
            .children(node.parent?)
            .find(|(_, sibling)| sibling.is_type() && sibling.name.as_deref() == Some(&wanted))
            .map(|(id, _)| id)
    }
}

/// The types of the closures that stand beside the closure `id`, its own included: also of those of
/// which the compiler left no code. Each with its digest.
fn environments(types: &Types<'_, '_>, id: NodeId) -> Vec<(String, u64)> {
    let node = types.graph.node(id);
    let generics = |name: &str| {
        name.split_once('}')
            .map(|(_, generics)| generics.to_owned())
    };
    let wanted = node.name.as_deref().and_then(generics);
    let Some(parent) = node.parent else {
        return Vec::new();
    };
    types
        .graph
        .children(parent)
        .filter(|(_, sibling)| {
            sibling.is_type()
                && sibling.name.as_deref().is_some_and(|name| {
                    name.starts_with("{closure_env#") && generics(name) == wanted
                })
        })
        .map(|(id, _)| (types.name(Some(id)).to_owned(), types.digest(Some(id))))
        .collect()
}

/// By symbol, the entry that has the parameters: the declaration in a type where there is one,
/// since it is made from the signature and not from what the body does with it.
fn by_symbol<'d>(graph: &Graph<'d>) -> HashMap<&'d str, NodeId> {
    let mut by_symbol: HashMap<&'d str, NodeId> = HashMap::new();
    for id in graph.ids() {
        let node = graph.node(id);
        if node.tag != dw::DW_TAG_subprogram {
            continue;
        }
        let Some(symbol) = node.linkage_name else {
            continue;
        };
        let known = by_symbol.entry(symbol).or_insert(id);
        if node.declaration {
            *known = id;
        }
    }
    by_symbol
}

fn is_closure(node: &Node<'_>) -> bool {
    node.name
        .as_deref()
        .is_some_and(|name| name.starts_with("{closure#"))
}

fn closures_digest(closures: &BTreeMap<String, u64>) -> u64 {
    let mut bytes = Vec::new();
    for (name, &digest) in closures {
        put_text(&mut bytes, name);
        put_number(&mut bytes, digest);
    }
    xxh3_64(&bytes)
}

/// The function that the closure `name` stands in.
fn owner_of_closure(name: &str) -> Option<&str> {
    let mut owner = None;
    let mut path = name;
    while let Some((outer, last)) = path.rsplit_once("::") {
        if !(last.starts_with("{closure#") && last.ends_with('}')) {
            break;
        }
        owner = Some(outer);
        path = outer;
    }
    owner
}
