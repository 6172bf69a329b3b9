//! The debug information as a graph of the entries that say what something looks like.
//!
//! One pass over `.debug_info`; what lies inside function bodies is skipped.

use crate::elf::{Elf, Place};
use crate::{DigestError, names::without_impl_ordinals};
use gimli::{AttributeValue, DwTag, EndianSlice, LittleEndian, constants as dw};
use std::borrow::Cow;

type Reader<'d> = EndianSlice<'d, LittleEndian>;
type Attribute<'d> = gimli::Attribute<Reader<'d>>;

/// The sections of debug information, relocated.
pub(crate) struct DebugSections(gimli::DwarfSections<Vec<u8>>);

impl DebugSections {
    pub(crate) fn load(elf: &Elf<'_>) -> Result<Self, DigestError> {
        use gimli::SectionId as Id;
        gimli::DwarfSections::load(|id| match id {
            Id::DebugInfo
            | Id::DebugAbbrev
            | Id::DebugLine
            | Id::DebugStr
            | Id::DebugLineStr
            | Id::DebugStrOffsets
            | Id::DebugTypes
            | Id::DebugAddr => elf.relocated(id.name()),
            // Ranges and locations of variables say nothing about shapes.
            _ => Ok(Vec::new()),
        })
        .map(Self)
    }
}

/// Index of a [`Node`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId(pub(crate) usize);

/// An entry of the debug information.
pub(crate) struct Node<'d> {
    /// Where it stands in `.debug_info`.
    offset: usize,
    pub(crate) tag: DwTag,
    pub(crate) parent: Option<NodeId>,
    pub(crate) children: Vec<NodeId>,
    /// Without ordinals of `impl` blocks.
    pub(crate) name: Option<Cow<'d, str>>,
    pub(crate) linkage_name: Option<&'d str>,
    type_offset: Option<usize>,
    /// `DW_AT_abstract_origin` or `DW_AT_specification`.
    origin_offset: Option<usize>,
    containing_offset: Option<usize>,
    pub(crate) size: Option<u64>,
    pub(crate) align: Option<u64>,
    pub(crate) member_offset: u64,
    pub(crate) count: Option<u64>,
    pub(crate) encoding: u8,
    /// The value of an enumerator, or of the discriminant that selects a variant.
    pub(crate) value: Option<Value<'d>>,
    pub(crate) location: Option<Place>,
    pub(crate) declaration: bool,
    /// Whether it is a function that does not return.
    pub(crate) diverges: bool,
    pub(crate) artificial: bool,
}

/// A constant in the debug information.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'d> {
    Unsigned(u64),
    Signed(i64),
    /// More than 64 bits.
    Wide(&'d [u8]),
}

impl core::fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Unsigned(value) => value.fmt(f),
            Self::Signed(value) => value.fmt(f),
            Self::Wide(bytes) => write!(f, "{bytes:x?}"),
        }
    }
}

/// The entries, in the order in which they stand.
pub(crate) struct Graph<'d> {
    pub(crate) nodes: Vec<Node<'d>>,
}

impl<'d> Graph<'d> {
    pub(crate) fn parse(sections: &'d DebugSections) -> Result<Self, DigestError> {
        let dwarf = sections
            .0
            .borrow(|bytes| EndianSlice::new(bytes, LittleEndian));
        let mut graph = Self { nodes: Vec::new() };
        let mut units = dwarf.units();
        while let Some(header) = units.next()? {
            let unit = dwarf.unit(header)?;
            graph.parse_unit(&dwarf, &unit)?;
        }
        Ok(graph)
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes.len()).map(NodeId)
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "an id is made from the index of a node"
    )]
    pub(crate) fn node(&self, id: NodeId) -> &Node<'d> {
        &self.nodes[id.0]
    }

    pub(crate) fn children(&self, id: NodeId) -> impl Iterator<Item = (NodeId, &Node<'d>)> {
        self.node(id)
            .children
            .iter()
            .map(|&child| (child, self.node(child)))
    }

    /// The type of an entry; `None` stands for "()".
    pub(crate) fn type_of(&self, id: NodeId) -> Result<Option<NodeId>, DigestError> {
        let node = self.node(id);
        if node.type_offset.is_none()
            && let Some(origin) = self.origin(id)?
            && origin != id
        {
            return self
                .node(origin)
                .type_offset
                .map(|offset| self.find(offset))
                .transpose();
        }
        node.type_offset.map(|offset| self.find(offset)).transpose()
    }

    /// Whether a function does not return.
    pub(crate) fn diverges(&self, id: NodeId) -> Result<bool, DigestError> {
        let origin = self.origin(id)?;
        Ok(self.node(id).diverges || origin.is_some_and(|id| self.node(id).diverges))
    }

    /// What the entry is an instance or the definition of.
    pub(crate) fn origin(&self, id: NodeId) -> Result<Option<NodeId>, DigestError> {
        self.node(id)
            .origin_offset
            .map(|offset| self.find(offset))
            .transpose()
    }

    /// The concrete type of a vtable's type.
    pub(crate) fn containing_type(&self, id: NodeId) -> Result<Option<NodeId>, DigestError> {
        self.node(id)
            .containing_offset
            .map(|offset| self.find(offset))
            .transpose()
    }

    fn find(&self, offset: usize) -> Result<NodeId, DigestError> {
        self.nodes
            .binary_search_by_key(&offset, |node| node.offset)
            .map(NodeId)
            .map_err(|_| DigestError::DanglingReference { offset })
    }

    fn parse_unit(
        &mut self,
        dwarf: &gimli::Dwarf<Reader<'d>>,
        unit: &gimli::Unit<Reader<'d>>,
    ) -> Result<(), DigestError> {
        let start = unit.header.offset().0;
        let mut entries = unit.entries_raw(None)?;
        // The kept entries around the current one, each with its depth.
        let mut around: Vec<(isize, NodeId)> = Vec::new();
        let mut skip_below: Option<isize> = None;
        while !entries.is_empty() {
            let depth = entries.next_depth();
            let offset = start + entries.next_offset().0;
            let Some(abbreviation) = entries.read_abbreviation()? else {
                continue;
            };
            while around.last().is_some_and(|&(outer, _)| outer >= depth) {
                around.pop();
            }
            let parent = around.last().map(|top| top.1);
            let skipped = skip_below.is_some_and(|top| depth > top);
            if skipped || !self.is_shape(parent, abbreviation.tag()) {
                if !skipped {
                    skip_below = Some(depth);
                }
                entries.skip_attributes(abbreviation.attributes())?;
                continue;
            }
            skip_below = None;
            let mut node = Node::new(offset, abbreviation.tag(), parent);
            for &specification in abbreviation.attributes() {
                let attribute = entries.read_attribute(specification)?;
                node.set(dwarf, unit, &attribute)?;
            }
            let id = NodeId(self.nodes.len());
            if let Some(parent) = node.parent.and_then(|parent| self.nodes.get_mut(parent.0)) {
                parent.children.push(id);
            }
            self.nodes.push(node);
            around.push((depth, id));
        }
        Ok(())
    }

    /// Whether an entry in `parent` says what something looks like: not a function's variable.
    fn is_shape(&self, parent: Option<NodeId>, tag: DwTag) -> bool {
        let inside = parent.map(|parent| self.node(parent).tag);
        is_shape(tag) && !(tag == dw::DW_TAG_variable && inside == Some(dw::DW_TAG_subprogram))
    }
}

impl<'d> Node<'d> {
    fn new(offset: usize, tag: DwTag, parent: Option<NodeId>) -> Self {
        Self {
            offset,
            tag,
            parent,
            children: Vec::new(),
            name: None,
            linkage_name: None,
            type_offset: None,
            origin_offset: None,
            containing_offset: None,
            size: None,
            align: None,
            member_offset: 0,
            count: None,
            encoding: 0,
            value: None,
            location: None,
            declaration: false,
            diverges: false,
            artificial: false,
        }
    }

    /// Whether it is a type.
    pub(crate) fn is_type(&self) -> bool {
        matches!(
            self.tag,
            dw::DW_TAG_structure_type
                | dw::DW_TAG_union_type
                | dw::DW_TAG_enumeration_type
                | dw::DW_TAG_base_type
                | dw::DW_TAG_pointer_type
                | dw::DW_TAG_array_type
                | dw::DW_TAG_subroutine_type
                | dw::DW_TAG_typedef
        )
    }

    fn set(
        &mut self,
        dwarf: &gimli::Dwarf<Reader<'d>>,
        unit: &gimli::Unit<Reader<'d>>,
        attribute: &Attribute<'d>,
    ) -> Result<(), DigestError> {
        let value = attribute.value();
        let text = || -> Result<&'d str, DigestError> {
            Ok(dwarf.attr_string(unit, attribute.value())?.to_string()?)
        };
        match attribute.name() {
            dw::DW_AT_name => {
                let name = text()?;
                self.name = Some(if name.contains("{impl#") {
                    Cow::Owned(without_impl_ordinals(name))
                } else {
                    Cow::Borrowed(name)
                });
            }
            dw::DW_AT_linkage_name => self.linkage_name = Some(text()?),
            dw::DW_AT_type => self.type_offset = reference(unit, &value),
            dw::DW_AT_abstract_origin | dw::DW_AT_specification => {
                self.origin_offset = reference(unit, &value);
            }
            dw::DW_AT_containing_type => self.containing_offset = reference(unit, &value),
            dw::DW_AT_byte_size => self.size = attribute.udata_value(),
            dw::DW_AT_alignment => self.align = attribute.udata_value(),
            dw::DW_AT_count => self.count = attribute.udata_value(),
            dw::DW_AT_data_member_location => {
                self.member_offset = attribute.udata_value().unwrap_or(0);
            }
            dw::DW_AT_encoding => {
                if let AttributeValue::Encoding(encoding) = value {
                    self.encoding = encoding.0;
                }
            }
            dw::DW_AT_const_value | dw::DW_AT_discr_value => self.value = constant(&value),
            dw::DW_AT_location => self.location = address(unit, &value),
            dw::DW_AT_declaration => self.declaration = true,
            dw::DW_AT_noreturn => self.diverges = true,
            dw::DW_AT_artificial => self.artificial = true,
            _ => {}
        }
        Ok(())
    }
}

/// Whether entries with this tag say what something looks like; of others, none inside them does.
fn is_shape(tag: DwTag) -> bool {
    matches!(
        tag,
        dw::DW_TAG_compile_unit
            | dw::DW_TAG_namespace
            | dw::DW_TAG_structure_type
            | dw::DW_TAG_union_type
            | dw::DW_TAG_enumeration_type
            | dw::DW_TAG_enumerator
            | dw::DW_TAG_variant_part
            | dw::DW_TAG_variant
            | dw::DW_TAG_member
            | dw::DW_TAG_base_type
            | dw::DW_TAG_pointer_type
            | dw::DW_TAG_array_type
            | dw::DW_TAG_subrange_type
            | dw::DW_TAG_subroutine_type
            | dw::DW_TAG_typedef
            | dw::DW_TAG_template_type_parameter
            | dw::DW_TAG_subprogram
            | dw::DW_TAG_formal_parameter
            | dw::DW_TAG_unspecified_parameters
            | dw::DW_TAG_variable
    )
}

fn reference(unit: &gimli::Unit<Reader<'_>>, value: &AttributeValue<Reader<'_>>) -> Option<usize> {
    match value {
        AttributeValue::UnitRef(offset) => Some(unit.header.offset().0 + offset.0),
        AttributeValue::DebugInfoRef(offset) => Some(offset.0),
        _ => None,
    }
}

fn constant<'d>(value: &AttributeValue<Reader<'d>>) -> Option<Value<'d>> {
    match value {
        AttributeValue::Sdata(signed) => Some(Value::Signed(*signed)),
        AttributeValue::Block(bytes) => Some(Value::Wide(bytes.slice())),
        other => other.udata_value().map(Value::Unsigned),
    }
}

/// The first address in a location. (One that is taken apart has further operations.)
fn address(unit: &gimli::Unit<Reader<'_>>, value: &AttributeValue<Reader<'_>>) -> Option<Place> {
    let AttributeValue::Exprloc(expression) = value else {
        return None;
    };
    match expression.operations(unit.encoding()).next().ok()?? {
        gimli::Operation::Address { address } => Place::unpack(address),
        _ => None,
    }
}
