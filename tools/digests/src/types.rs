//! Types: their names, their shapes for people, their digests.
//!
//! A digest covers everything that the type reaches, pointers' targets and generic arguments
//! included. Naive recursion is exponential in practice, and types are cyclic; so the graph of types is
//! cut into its strongly connected components, and each component is hashed once, after those that
//! it reaches. A type that nothing reaches changes no other type's digest.

use crate::DigestError;
use crate::graph::{Graph, Node, NodeId};
use gimli::constants as dw;
use std::fmt::Write as _;
use xxhash_rust::xxh3::xxh3_64;

/// The digest of "()", and of what has no type.
const NOTHING: u64 = 1;

/// Bytes of a pointer.
const POINTER: u64 = 8;

/// Deeper than any type that a person wrote; ends the naming of malformed debug information.
const MAX_NAME_DEPTH: u32 = 64;

/// The types of an object.
pub(crate) struct Types<'g, 'd> {
    pub(crate) graph: &'g Graph<'d>,
    /// By node; empty for what is not a type or namespace.
    names: Vec<String>,
    /// By node; 0 for what is not a type.
    digests: Vec<u64>,
}

impl<'g, 'd> Types<'g, 'd> {
    pub(crate) fn new(graph: &'g Graph<'d>) -> Result<Self, DigestError> {
        let mut types = Self {
            graph,
            names: Vec::new(),
            digests: vec![0; graph.nodes.len()],
        };
        for id in graph.ids() {
            // Parents stand before their children.
            let name = types.make_name(id)?;
            types.names.push(name);
        }
        Components::new(graph.nodes.len()).hash_all(&mut types)?;
        Ok(types)
    }

    /// The path of a type or namespace, as people write it.
    pub(crate) fn name(&self, id: Option<NodeId>) -> &str {
        id.and_then(|id| self.names.get(id.0))
            .map_or("()", |name| name)
    }

    /// The digest of a type and of all that it reaches; `None` is "()".
    pub(crate) fn digest(&self, id: Option<NodeId>) -> u64 {
        id.and_then(|id| self.digests.get(id.0).copied())
            .unwrap_or(NOTHING)
    }

    fn make_name(&self, id: NodeId) -> Result<String, DigestError> {
        let node = self.graph.node(id);
        let own = match &node.name {
            Some(name) if node.is_type() || node.tag == dw::DW_TAG_namespace => name.as_ref(),
            None if node.is_type() => return self.describe_unnamed(Some(id), 0),
            _ => return Ok(String::new()),
        };
        let outer = node.parent.map_or("", |parent| self.name(Some(parent)));
        Ok(if outer.is_empty() {
            own.to_owned()
        } else {
            format!("{outer}::{own}")
        })
    }

    /// The name of a type that has none: an array, a function.
    fn describe_unnamed(&self, id: Option<NodeId>, depth: u32) -> Result<String, DigestError> {
        let Some(id) = id else {
            return Ok("()".to_owned());
        };
        if depth > MAX_NAME_DEPTH {
            return Ok("…".to_owned());
        }
        let node = self.graph.node(id);
        if let Some(name) = &node.name {
            // It may stand behind the one that is being named, so its name may not be made yet.
            let mut path = name.as_ref().to_owned();
            let mut outer = node.parent;
            while let Some(parent) = outer.map(|parent| self.graph.node(parent)) {
                if let Some(name) = parent
                    .name
                    .as_ref()
                    .filter(|_| parent.is_type() || parent.tag == dw::DW_TAG_namespace)
                {
                    path = format!("{name}::{path}");
                }
                outer = parent.parent;
            }
            return Ok(path);
        }
        let target = |id| -> Result<String, DigestError> {
            self.describe_unnamed(self.graph.type_of(id)?, depth + 1)
        };
        Ok(match node.tag {
            dw::DW_TAG_array_type => {
                let mut name = target(id)?;
                for (_, range) in self.graph.children(id) {
                    name = range
                        .count
                        .map_or_else(|| format!("[{name}]"), |count| format!("[{name}; {count}]"));
                }
                name
            }
            dw::DW_TAG_subroutine_type => {
                let mut parameters = Vec::new();
                for (parameter, _) in self.parameters(id) {
                    parameters.push(target(parameter)?);
                }
                signature_text(&parameters, &target(id)?)
            }
            _ => format!("*{}", target(id)?),
        })
    }

    /// The size of a value in bytes. The debug information has none for pointers and arrays.
    pub(crate) fn size(&self, id: NodeId) -> Result<u64, DigestError> {
        let node = self.graph.node(id);
        match node.tag {
            dw::DW_TAG_pointer_type => Ok(POINTER),
            dw::DW_TAG_array_type => {
                let ranges = self.graph.children(id).filter_map(|(_, range)| range.count);
                let count = ranges.fold(1, u64::saturating_mul);
                let element = self
                    .graph
                    .type_of(id)?
                    .map_or(Ok(0), |element| self.size(element))?;
                Ok(element.saturating_mul(count))
            }
            _ => Ok(node.size.unwrap_or(0)),
        }
    }

    /// The parameters of a function or of a function's type.
    pub(crate) fn parameters(&self, id: NodeId) -> impl Iterator<Item = (NodeId, &Node<'d>)> {
        self.graph.children(id).filter(|(_, child)| {
            matches!(
                child.tag,
                dw::DW_TAG_formal_parameter | dw::DW_TAG_unspecified_parameters
            )
        })
    }

    /// The members of a structure, union or variant, in the order of their offsets: the order in
    /// which a person wrote them is no part of the layout.
    pub(crate) fn members(&self, id: NodeId) -> Vec<(NodeId, &Node<'d>)> {
        let mut members: Vec<_> = self
            .graph
            .children(id)
            .filter(|(_, child)| child.tag == dw::DW_TAG_member)
            .collect();
        members
            .sort_by(|(_, a), (_, b)| (a.member_offset, &a.name).cmp(&(b.member_offset, &b.name)));
        members
    }

    /// The variants of an enumeration with data: the discriminant's member, then each variant's
    /// value (none for the one that stands for all other values) and member.
    pub(crate) fn variants(&self, id: NodeId) -> Option<Variants<'_, 'd>> {
        let (part, _) = self
            .graph
            .children(id)
            .find(|(_, child)| child.tag == dw::DW_TAG_variant_part)?;
        let mut variants = Variants {
            discriminant: None,
            each: Vec::new(),
        };
        for (child_id, child) in self.graph.children(part) {
            match child.tag {
                dw::DW_TAG_member => variants.discriminant = Some((child_id, child)),
                dw::DW_TAG_variant => {
                    variants.each.extend(
                        self.graph
                            .children(child_id)
                            .map(|(id, member)| (child, id, member)),
                    );
                }
                _ => {}
            }
        }
        Some(variants)
    }

    /// Writes what the type itself says into `out`, and which types it refers to, in order, into
    /// `targets`.
    fn describe(
        &self,
        id: NodeId,
        out: &mut Vec<u8>,
        targets: &mut Vec<Option<NodeId>>,
    ) -> Result<(), DigestError> {
        let node = self.graph.node(id);
        put_text(out, self.name(Some(id)));
        put_number(out, u64::from(node.tag.0));
        put_number(out, node.size.unwrap_or(u64::MAX));
        put_number(out, node.align.unwrap_or(0));
        put_number(out, u64::from(node.encoding));
        if node.tag != dw::DW_TAG_structure_type && node.tag != dw::DW_TAG_union_type {
            targets.push(self.graph.type_of(id)?);
        }
        for (member, field) in self.members(id) {
            put_text(out, field.name.as_deref().unwrap_or_default());
            put_number(out, field.member_offset);
            targets.push(self.graph.type_of(member)?);
        }
        if let Some(variants) = self.variants(id) {
            if let Some((discriminant, field)) = variants.discriminant {
                put_number(out, field.member_offset);
                targets.push(self.graph.type_of(discriminant)?);
            }
            for (variant, member, field) in variants.each {
                put_text(
                    out,
                    &variant
                        .value
                        .map_or_else(String::new, |value| value.to_string()),
                );
                put_text(out, field.name.as_deref().unwrap_or_default());
                targets.push(self.graph.type_of(member)?);
            }
        }
        for (child, inner) in self.graph.children(id) {
            match inner.tag {
                dw::DW_TAG_enumerator => {
                    put_text(out, inner.name.as_deref().unwrap_or_default());
                    put_text(
                        out,
                        &inner
                            .value
                            .map_or_else(String::new, |value| value.to_string()),
                    );
                }
                dw::DW_TAG_subrange_type => put_number(out, inner.count.unwrap_or(u64::MAX)),
                // Code that is generic in them may keep values of them behind erased pointers.
                dw::DW_TAG_template_type_parameter | dw::DW_TAG_formal_parameter => {
                    targets.push(self.graph.type_of(child)?);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The type in one line for people.
    pub(crate) fn shape(&self, id: NodeId) -> Result<String, DigestError> {
        let node = self.graph.node(id);
        let mut text = String::new();
        // Writing to a string cannot fail.
        match node.tag {
            dw::DW_TAG_enumeration_type => {
                let values = self.graph.children(id).filter_map(|(_, child)| {
                    Some(format!("{} = {}", child.name.as_ref()?, child.value?))
                });
                let tag = self.name(self.graph.type_of(id)?);
                let _ = write!(text, "enum({tag})");
                braces(&mut text, values.collect());
            }
            dw::DW_TAG_structure_type | dw::DW_TAG_union_type => {
                if let Some(variants) = self.variants(id) {
                    self.enum_shape(&mut text, &variants)?;
                } else {
                    let union = node.tag == dw::DW_TAG_union_type;
                    text.push_str(if union { "union" } else { "struct" });
                    braces(&mut text, self.fields(id)?);
                }
            }
            _ => text.push_str(self.name(Some(id))),
        }
        let _ = write!(text, " size {}", node.size.unwrap_or(0));
        if let Some(align) = node.align {
            let _ = write!(text, " align {align}");
        }
        Ok(text)
    }

    fn enum_shape(&self, text: &mut String, of: &Variants<'_, 'd>) -> Result<(), DigestError> {
        text.push_str("enum");
        if let Some((id, field)) = of.discriminant {
            let tag = self.name(self.graph.type_of(id)?);
            let _ = write!(text, "({tag} @{})", field.member_offset);
        }
        let mut variants = Vec::new();
        for (variant, id, field) in &of.each {
            let mut entry = field.name.as_deref().unwrap_or_default().to_owned();
            let fields = match self.graph.type_of(*id)? {
                Some(inner) => self.fields(inner)?,
                None => Vec::new(),
            };
            if !fields.is_empty() {
                braces(&mut entry, fields);
            }
            if let Some(value) = variant.value {
                let _ = write!(entry, " = {value}");
            }
            variants.push(entry);
        }
        braces(text, variants);
        Ok(())
    }

    fn fields(&self, id: NodeId) -> Result<Vec<String>, DigestError> {
        let mut fields = Vec::new();
        for (member, field) in self.members(id) {
            fields.push(format!(
                "{}: {} @{}",
                field.name.as_deref().unwrap_or("_"),
                self.name(self.graph.type_of(member)?),
                field.member_offset
            ));
        }
        Ok(fields)
    }
}

/// The variants of an enumeration with data.
pub(crate) struct Variants<'t, 'd> {
    discriminant: Option<(NodeId, &'t Node<'d>)>,
    each: Vec<(&'t Node<'d>, NodeId, &'t Node<'d>)>,
}

/// A function's signature in one line.
pub(crate) fn signature_text(parameters: &[String], result: &str) -> String {
    let parameters = parameters.join(", ");
    if result == "()" {
        format!("fn({parameters})")
    } else {
        format!("fn({parameters}) -> {result}")
    }
}

fn braces(text: &mut String, entries: Vec<String>) {
    if entries.is_empty() {
        text.push_str(" {}");
    } else {
        let _ = write!(text, " {{ {} }}", entries.join(", "));
    }
}

pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_number(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

pub(crate) fn put_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_le_bytes());
}

/// Tarjan's algorithm for strongly connected components, without recursion: chains of types are
/// long. A component is complete after all that it reaches.
struct Components {
    /// By node: when it was first met, from 1; 0 before.
    met: Vec<usize>,
    /// By node: the earliest node that it is known to reach and that is still open.
    low: Vec<usize>,
    open: Vec<bool>,
    /// Nodes that belong to no complete component yet.
    pending: Vec<NodeId>,
    counter: usize,
}

/// A node whose targets are being walked.
struct Walk {
    id: NodeId,
    targets: Vec<Option<NodeId>>,
    next: usize,
}

#[expect(
    clippy::indexing_slicing,
    reason = "all tables have an element for each node"
)]
impl Components {
    fn new(nodes: usize) -> Self {
        Self {
            met: vec![0; nodes],
            low: vec![0; nodes],
            open: vec![false; nodes],
            pending: Vec::new(),
            counter: 0,
        }
    }

    fn hash_all(mut self, types: &mut Types<'_, '_>) -> Result<(), DigestError> {
        for id in types.graph.ids() {
            if types.graph.node(id).is_type() && self.met[id.0] == 0 {
                self.walk(types, id)?;
            }
        }
        Ok(())
    }

    fn walk(&mut self, types: &mut Types<'_, '_>, root: NodeId) -> Result<(), DigestError> {
        let mut stack = vec![self.enter(types, root)?];
        while let Some(top) = stack.last_mut() {
            let id = top.id;
            if let Some(&target) = top.targets.get(top.next) {
                top.next += 1;
                let Some(target) = target else { continue };
                if self.met[target.0] == 0 {
                    stack.push(self.enter(types, target)?);
                } else if self.open[target.0] {
                    self.low[id.0] = self.low[id.0].min(self.met[target.0]);
                }
                continue;
            }
            stack.pop();
            if self.low[id.0] == self.met[id.0] {
                self.complete(types, id)?;
            }
            if let Some(outer) = stack.last() {
                self.low[outer.id.0] = self.low[outer.id.0].min(self.low[id.0]);
            }
        }
        Ok(())
    }

    fn enter(&mut self, types: &Types<'_, '_>, id: NodeId) -> Result<Walk, DigestError> {
        self.counter += 1;
        self.met[id.0] = self.counter;
        self.low[id.0] = self.counter;
        self.open[id.0] = true;
        self.pending.push(id);
        let mut targets = Vec::new();
        types.describe(id, &mut Vec::new(), &mut targets)?;
        Ok(Walk {
            id,
            targets,
            next: 0,
        })
    }

    /// Hashes the component whose first node is `first`.
    fn complete(&mut self, types: &mut Types<'_, '_>, first: NodeId) -> Result<(), DigestError> {
        let start = self
            .pending
            .iter()
            .rposition(|&id| id == first)
            .unwrap_or(0);
        let members = self.pending.split_off(start);
        let mut local = Vec::with_capacity(members.len());
        for &id in &members {
            let mut bytes = Vec::new();
            let mut targets = Vec::new();
            types.describe(id, &mut bytes, &mut targets)?;
            for target in targets {
                match target {
                    // Of the same component: its own hash is still to be made, its name is not.
                    Some(target) if self.open[target.0] => {
                        put_text(&mut bytes, types.name(Some(target)));
                    }
                    target => put_number(&mut bytes, types.digest(target)),
                }
            }
            local.push((id, xxh3_64(&bytes)));
        }
        let mut all: Vec<u64> = local.iter().map(|&(_, hash)| hash).collect();
        all.sort_unstable();
        all.dedup();
        for &(id, hash) in &local {
            let mut bytes = Vec::new();
            put_number(&mut bytes, hash);
            if all.len() > 1 {
                all.iter().for_each(|&hash| put_number(&mut bytes, hash));
            }
            types.digests[id.0] = xxh3_64(&bytes);
            self.open[id.0] = false;
        }
        Ok(())
    }
}
