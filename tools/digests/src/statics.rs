//! Mutable statics: which there are, of which type, with which first value, and whether their
//! storage can be carried from one build to the next.

use crate::DigestError;
use crate::elf::{Elf, Place, Symbol, Target};
use crate::graph::{Graph, NodeId};
use crate::names::{display_name, plain_name};
use crate::types::{Types, put_number, put_text};
use gimli::constants as dw;
use std::collections::HashMap;
use xxhash_rust::xxh3::xxh3_64;

/// A mutable static, as it lies in the object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MutableStatic {
    /// Its symbol.
    pub linkage_name: String,
    /// Its size in bytes.
    pub size: u64,
    /// The section that it lies in.
    pub section: String,
    /// Where in the section.
    pub offset: u64,
    /// Whether the symbol is visible to other objects.
    pub global: bool,
}

/// A mutable static whose storage cannot be carried to another build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticProblem {
    /// Its path, or its symbol when the debug information does not know it.
    pub name: String,
    /// What is wrong with it.
    pub fault: StaticFault,
}

/// What is wrong with a mutable static.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StaticFault {
    /// The compiler left no symbol: it folded the static away or took it apart.
    NoSymbol,
    /// The symbol is local: the compiler was free to change how the static is stored.
    LocalSymbol,
    /// It carries no `#[used]`. Its symbol is whole and global in this build, as that of a public
    /// static always is; a private one's may not be in the next.
    NotUsed,
    /// The symbol covers another number of bytes than the type has.
    Size {
        /// What the symbol covers.
        symbol: u64,
        /// What the type has.
        type_size: u64,
    },
    /// State that no static of the source names, so that no later build can find it again.
    Unnamed,
}

impl StaticFault {
    /// Whether this build's state cannot be carried to another. `#[used]` is a rule for crates of
    /// this repository: a crate from elsewhere that keeps to it by chance is as good.
    #[must_use]
    pub const fn loses_state(self) -> bool {
        !matches!(self, Self::NotUsed)
    }
}

impl core::fmt::Display for StaticProblem {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let name = &self.name;
        match self.fault {
            StaticFault::NoSymbol => {
                write!(
                    f,
                    "mutable static {name} was optimised away: put #[used] on it"
                )
            }
            StaticFault::LocalSymbol => {
                write!(
                    f,
                    "mutable static {name} may be optimised away: put #[used] on it"
                )
            }
            StaticFault::NotUsed => write!(f, "mutable static {name} has no #[used]"),
            StaticFault::Size { symbol, type_size } => write!(
                f,
                "mutable static {name} was cut to {symbol} of {type_size} bytes: put #[used] on it"
            ),
            StaticFault::Unnamed => write!(
                f,
                "mutable data {name} belongs to no static: give it a static of its own with #[used]"
            ),
        }
    }
}

/// The variables of the debug information that have a symbol's name.
pub(crate) fn variables<'d>(graph: &Graph<'d>) -> HashMap<&'d str, NodeId> {
    graph
        .ids()
        .filter(|&id| graph.node(id).tag == dw::DW_TAG_variable)
        .filter_map(|id| Some((graph.node(id).linkage_name?, id)))
        .collect()
}

pub(crate) fn mutable_statics(elf: &Elf<'_>) -> Vec<MutableStatic> {
    elf.state()
        .map(|(symbol, section)| MutableStatic {
            linkage_name: symbol.name.to_owned(),
            size: symbol.size,
            section: section.name.to_owned(),
            offset: symbol.place.offset,
            global: symbol.global,
        })
        .collect()
}

/// The mutable statics that cannot be carried to another build.
pub(crate) fn check_statics(
    elf: &Elf<'_>,
    types: &Types<'_, '_>,
) -> Result<Vec<StaticProblem>, DigestError> {
    let graph = types.graph;
    let symbols: HashMap<&str, &Symbol<'_>> = elf
        .state()
        .map(|(symbol, _)| (symbol.name, symbol))
        .collect();
    let variables = variables(graph);
    let mut problems = Vec::new();
    for id in graph
        .ids()
        .filter(|&id| graph.node(id).tag == dw::DW_TAG_variable)
    {
        let node = graph.node(id);
        let Some(name) = &node.name else { continue };
        let Some(type_) = graph.type_of(id)? else {
            continue;
        };
        let type_size = types.size(type_)?;
        let symbol = node.linkage_name.and_then(|linkage| symbols.get(linkage));
        let mutable = symbol.is_some()
            || node.location.is_some_and(|place| is_state(elf, place))
            || is_cell(types, type_, 0)?;
        if !mutable || name.ends_with("::{vtable}") {
            continue;
        }
        let fault = match symbol {
            // Nothing is stored for a static without size.
            None if type_size == 0 => continue,
            None => StaticFault::NoSymbol,
            Some(symbol) if symbol.size < type_size => StaticFault::Size {
                symbol: symbol.size,
                type_size,
            },
            Some(symbol) if !symbol.global => StaticFault::LocalSymbol,
            Some(symbol) if !is_retained(elf, symbol.place) => StaticFault::NotUsed,
            Some(_) => continue,
        };
        let path = graph
            .node(id)
            .parent
            .map_or("", |parent| types.name(Some(parent)));
        problems.push(StaticProblem {
            name: format!("{path}::{name}"),
            fault,
        });
    }
    for (name, _) in symbols
        .iter()
        .filter(|(name, _)| !variables.contains_key(*name))
    {
        // What remains of a static that was taken apart has been named above.
        let base = name.split_once('.').map_or(*name, |(base, _)| base);
        if !variables.contains_key(base) {
            problems.push(StaticProblem {
                name: display_name(name),
                fault: StaticFault::Unnamed,
            });
        }
    }
    problems.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(problems)
}

/// Whether the static carries `#[used]`: the compiler tells the linker to retain its section.
fn is_retained(elf: &Elf<'_>, place: Place) -> bool {
    elf.sections
        .get(&place.section)
        .is_some_and(|section| section.retained)
}

fn is_state(elf: &Elf<'_>, place: Place) -> bool {
    elf.sections
        .get(&place.section)
        .is_some_and(|section| section.state)
}

/// Types nest less deep than this.
const MAX_DEPTH: u32 = 64;

/// Whether a value of this type can change while others look at it.
fn is_cell(types: &Types<'_, '_>, id: NodeId, depth: u32) -> Result<bool, DigestError> {
    let graph = types.graph;
    if types.name(Some(id)).starts_with("core::cell::UnsafeCell<") {
        return Ok(true);
    }
    if depth > MAX_DEPTH {
        return Ok(false);
    }
    let mut inner = Vec::new();
    match graph.node(id).tag {
        dw::DW_TAG_array_type => inner.push(id),
        dw::DW_TAG_structure_type | dw::DW_TAG_union_type => {
            inner.extend(types.members(id).iter().map(|&(member, _)| member));
            for (part, _) in graph.children(id) {
                for (variant, _) in graph.children(part) {
                    inner.extend(graph.children(variant).map(|(member, _)| member));
                }
            }
        }
        _ => {}
    }
    for part in inner {
        if let Some(part) = graph.type_of(part)?
            && is_cell(types, part, depth + 1)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The digest of the first value of the static `symbol`: its bytes, and what its pointers name.
pub(crate) fn initial_value(elf: &Elf<'_>, symbol: &Symbol<'_>) -> u64 {
    let mut bytes = Vec::new();
    put_contents(elf, symbol.place, symbol.size, 0, &mut bytes);
    xxh3_64(&bytes)
}

/// Appends `length` bytes at `place`. A pointer stands for the name of what it points to; a
/// constant has no lasting name, so its contents stand for it.
fn put_contents(elf: &Elf<'_>, place: Place, length: u64, depth: u32, out: &mut Vec<u8>) {
    let Some(section) = elf.sections.get(&place.section) else {
        return;
    };
    let range = usize::try_from(place.offset)
        .ok()
        .zip(usize::try_from(length).ok());
    let bytes = range
        .and_then(|(start, length)| section.bytes.get(start..start.checked_add(length)?))
        .unwrap_or_default();
    put_number(out, length);
    out.extend_from_slice(bytes);
    let end = place.offset.saturating_add(length);
    for (offset, target) in elf.pointers(place.section).range(place.offset..end) {
        put_number(out, offset - place.offset);
        put_target(elf, target, depth, out);
    }
}

fn put_target(elf: &Elf<'_>, target: &Target<'_>, depth: u32, out: &mut Vec<u8>) {
    let place = match target {
        Target::Import(name) => return put_text(out, &plain_name(name)),
        Target::Unknown => return put_text(out, "?"),
        Target::Here(place) => *place,
    };
    let named = elf
        .symbol_at(place)
        .filter(|symbol| !symbol.name.starts_with(".L"));
    if let Some(symbol) = named {
        return put_text(out, &plain_name(symbol.name));
    }
    let Some(section) = elf.sections.get(&place.section) else {
        return;
    };
    let start = usize::try_from(place.offset).unwrap_or(usize::MAX);
    let rest = section.bytes.get(start..).unwrap_or_default();
    let length = if section.strings {
        rest.iter()
            .position(|&byte| byte == 0)
            .unwrap_or(rest.len())
    } else {
        rest.len()
    };
    // Constants nest as deep as a person nests them, but a hostile object may make a ring.
    if depth < MAX_DEPTH / 4 {
        put_contents(elf, place, length as u64, depth + 1, out);
    }
}
