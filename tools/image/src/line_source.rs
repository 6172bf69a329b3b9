//! What a text comes from, read from the debug information: line programs, and what was inlined where.

use crate::error::{Error, Result};
use gimli::{AttributeValue, EndianSlice, LittleEndian, constants as dw};
use object::{
    Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget, SectionIndex, SymbolKind,
};
use std::{
    collections::{BTreeSet, HashMap},
    ops::Range,
};

type Slice<'d> = EndianSlice<'d, LittleEndian>;
type Dwarf<'d> = gimli::Dwarf<Slice<'d>>;
type Unit<'d> = gimli::Unit<Slice<'d>>;

/// The section that line tables are about. The linker script leaves no other with code.
const TEXT: &str = ".text";

/// An address that is none: of what has no place in the text.
const NOWHERE: u64 = u64::MAX;

/// What the stretches of a text come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// Names of files.
    pub files: Vec<String>,
    /// What code comes from; a stretch names one by its index and 1 more.
    pub nodes: Vec<Node>,
    /// Where stretches of text begin, ascending, and the node of each, or 0.
    pub stretches: Vec<(u32, u32)>,
    /// Length of the text in bytes.
    pub text_length: u32,
}

/// A line, and where the code of it was inlined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    /// The node that it was inlined into, as a stretch names it; it comes earlier. 0 for none.
    pub parent: u32,
    /// Index of the file.
    pub file: u32,
    /// The line.
    pub line: u32,
}

/// Bytes of text that come from one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) text: Range<u64>,
    pub(crate) file: String,
    pub(crate) line: u32,
}

/// Bytes of text that were inlined.
struct Inlined {
    text: Range<u64>,
    /// How deep its entry stands: what was inlined into something stands deeper than that.
    depth: isize,
    /// Where the call stood.
    file: String,
    line: u32,
}

impl Source {
    /// Reads the debug information of `object`, a file of the component `name`.
    ///
    /// # Errors
    ///
    /// When it is not as compilers write it.
    pub fn read(name: &str, object: &[u8]) -> Result<Self> {
        let debug = Debug::load(name, object)?;
        let dwarf = debug
            .sections
            .borrow(|section| EndianSlice::new(section, LittleEndian));
        let wrong = |error: gimli::Error| Error::object(name, error);
        let rows = rows(&dwarf).map_err(wrong)?;
        let inlined = inlined(&dwarf).map_err(wrong)?;
        Ok(combine(&rows, inlined, debug.text_length))
    }

    /// The lines of the instruction at `offset`, innermost first.
    #[must_use]
    pub fn at(&self, offset: u32) -> Vec<(&str, u32)> {
        let index = self
            .stretches
            .partition_point(|(start, _)| *start <= offset);
        let stretch = index
            .checked_sub(1)
            .and_then(|index| self.stretches.get(index));
        let mut node = stretch.map_or(0, |(_, node)| *node);
        let mut lines = Vec::new();
        while let Some(found) = node
            .checked_sub(1)
            .and_then(|node| self.nodes.get(node as usize))
        {
            lines.push((self.files[found.file as usize].as_str(), found.line));
            node = found.parent;
        }
        lines
    }
}

/// The function of `object`, a file of the component `name`, that `offset` in the text lies in, and the
/// offset there; `None` outside of all.
///
/// # Errors
///
/// When the file is no object.
pub fn function_at(name: &str, object: &[u8], offset: u64) -> Result<Option<(String, u64)>> {
    let file = object::File::parse(object).map_err(|error| Error::object(name, error))?;
    let text = file.section_by_name(TEXT).map(|text| text.index());
    let symbols = file.symbols().filter(|symbol| {
        let names_code = !matches!(symbol.kind(), SymbolKind::Section | SymbolKind::File);
        names_code && symbol.section_index() == text && symbol.address() <= offset
    });
    // Labels in assembly have no length.
    let found = symbols.max_by_key(|symbol| (symbol.address(), symbol.size()));
    Ok(found.and_then(|symbol| {
        let function = digests::display_name(symbol.name().ok()?);
        Some((function, offset - symbol.address()))
    }))
}

/// The sections of debug information, relocated.
struct Debug {
    sections: gimli::DwarfSections<Vec<u8>>,
    text_length: u32,
}

impl Debug {
    fn load(name: &str, object: &[u8]) -> Result<Self> {
        let file = object::File::parse(object).map_err(|error| Error::object(name, error))?;
        let text = file.section_by_name(TEXT);
        let length = text.as_ref().map_or(0, |text| text.size());
        let text_length = u32::try_from(length).map_err(|error| Error::object(name, error))?;
        let text = text.map(|text| text.index());
        let sections = gimli::DwarfSections::load(|id| relocated(&file, id.name(), text))
            .map_err(|error: object::Error| Error::object(name, error))?;
        Ok(Self {
            sections,
            text_length,
        })
    }
}

/// The contents of a section with its relocations applied: an address in the text becomes the offset
/// there, one in another section [`NOWHERE`].
fn relocated(
    file: &object::File<'_>,
    name: &str,
    text: Option<SectionIndex>,
) -> std::result::Result<Vec<u8>, object::Error> {
    let Some(section) = file.section_by_name(name) else {
        return Ok(Vec::new());
    };
    let mut bytes = section.uncompressed_data()?.into_owned();
    for (offset, relocation) in section.relocations() {
        let RelocationTarget::Symbol(symbol) = relocation.target() else {
            continue;
        };
        let symbol = file.symbol_by_index(symbol)?;
        let length = usize::from(relocation.size() / 8);
        let is_address = length == 8;
        let value = if is_address && symbol.section_index() != text {
            NOWHERE
        } else {
            symbol.address().wrapping_add_signed(relocation.addend())
        };
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let field = bytes.get_mut(start..start.saturating_add(length));
        if let (Some(field), Some(value)) = (field, value.to_le_bytes().get(..length)) {
            field.copy_from_slice(value);
        }
    }
    Ok(bytes)
}

/// The line programs' rows, ascending.
fn rows(dwarf: &Dwarf<'_>) -> gimli::Result<Vec<Row>> {
    let mut found = Vec::new();
    let mut units = dwarf.units();
    while let Some(header) = units.next()? {
        let unit = dwarf.unit(header)?;
        let Some(program) = unit.line_program.clone() else {
            continue;
        };
        let mut names = Names::default();
        let mut begun: Option<(u64, String, u32)> = None;
        let mut rows = program.rows();
        while let Some((_, row)) = rows.next_row()? {
            if let Some((start, file, line)) = begun.take()
                && start < row.address()
                && row.address() != NOWHERE
            {
                let text = start..row.address();
                found.push(Row { text, file, line });
            }
            if !row.end_sequence() && row.address() != NOWHERE {
                let file = names.get(dwarf, &unit, row.file_index())?;
                begun = Some((row.address(), file, number(row.line().map(u64::from))));
            }
        }
    }
    found.sort_by_key(|row| row.text.start);
    Ok(found)
}

/// A line as the tables hold it; 0 for none.
fn number(line: Option<u64>) -> u32 {
    line.and_then(|line| u32::try_from(line).ok()).unwrap_or(0)
}

/// What was inlined.
fn inlined(dwarf: &Dwarf<'_>) -> gimli::Result<Vec<Inlined>> {
    let mut found = Vec::new();
    let mut units = dwarf.units();
    while let Some(header) = units.next()? {
        let unit = dwarf.unit(header)?;
        let mut names = Names::default();
        let mut entries = unit.entries();
        while let Some(entry) = entries.next_dfs()? {
            if entry.tag() != dw::DW_TAG_inlined_subroutine {
                continue;
            }
            let file = match entry.attr_value(dw::DW_AT_call_file) {
                Some(AttributeValue::FileIndex(index)) => index,
                Some(value) => value.udata_value().unwrap_or(0),
                None => 0,
            };
            let line = entry.attr_value(dw::DW_AT_call_line);
            let line = number(line.and_then(|line| line.udata_value()));
            let file = names.get(dwarf, &unit, file)?;
            let mut ranges = dwarf.die_ranges(&unit, entry)?;
            while let Some(range) = ranges.next()? {
                if range.begin < range.end && range.end != NOWHERE {
                    found.push(Inlined {
                        text: range.begin..range.end,
                        depth: entry.depth(),
                        file: file.clone(),
                        line,
                    });
                }
            }
        }
    }
    Ok(found)
}

/// The names of a unit's files.
#[derive(Default)]
struct Names(HashMap<u64, String>);

impl Names {
    fn get(&mut self, dwarf: &Dwarf<'_>, unit: &Unit<'_>, index: u64) -> gimli::Result<String> {
        if let Some(name) = self.0.get(&index) {
            return Ok(name.clone());
        }
        let header = unit
            .line_program
            .as_ref()
            .map(gimli::IncompleteLineProgram::header);
        let entry = header.and_then(|header| Some((header, header.file(index)?)));
        let Some((header, entry)) = entry else {
            return Ok(String::from("?"));
        };
        let text = |value| {
            dwarf
                .attr_string(unit, value)
                .map(|text| text.to_string_lossy())
        };
        let mut name = text(entry.path_name())?.into_owned();
        // Folder 0 is where the compiler ran, and says nothing.
        if entry.directory_index() != 0
            && let Some(folder) = entry.directory(header)
        {
            name = format!("{}/{name}", text(folder)?);
        }
        let name = shortened(&name).to_owned();
        self.0.insert(index, name.clone());
        Ok(name)
    }
}

/// A file's name without what is the same for all of its kind: the compiler's commit, and cargo's folder.
fn shortened(name: &str) -> &str {
    for folder in ["/rustc/", "cargo/registry/src/"] {
        if let Some((_, rest)) = name
            .strip_prefix(folder)
            .and_then(|rest| rest.split_once('/'))
        {
            return rest;
        }
    }
    name
}

/// Joins rows and inlined calls, one stretch of text after the other.
fn combine(rows: &[Row], mut inlined: Vec<Inlined>, text_length: u32) -> Source {
    let mut points = BTreeSet::new();
    for text in rows
        .iter()
        .map(|row| &row.text)
        .chain(inlined.iter().map(|it| &it.text))
    {
        points.extend([text.start, text.end]);
    }
    inlined.sort_by_key(|it| (it.text.start, it.depth));
    let mut waiting = inlined.into_iter().peekable();
    let mut active: Vec<Inlined> = Vec::new();
    let mut table = Interner {
        source: Source {
            text_length,
            ..Source::default()
        },
        files: HashMap::new(),
        nodes: HashMap::new(),
    };
    let mut row = 0;
    for point in points {
        active.retain(|it| it.text.end > point);
        while let Some(it) = waiting.next_if(|it| it.text.start <= point) {
            active.push(it);
        }
        active.sort_by_key(|it| it.depth);
        while rows.get(row).is_some_and(|row| row.text.end <= point) {
            row += 1;
        }
        let here = rows.get(row).filter(|row| row.text.contains(&point));
        let node = here.map_or(0, |row| {
            let outer = active
                .iter()
                .fold(0, |parent, it| table.node(parent, &it.file, it.line));
            table.node(outer, &row.file, row.line)
        });
        table.stretch(point, node);
    }
    table.source
}

/// Collects what comes again and again.
struct Interner {
    source: Source,
    files: HashMap<String, u32>,
    nodes: HashMap<Node, u32>,
}

impl Interner {
    fn node(&mut self, parent: u32, file: &str, line: u32) -> u32 {
        let file = match self.files.get(file) {
            Some(index) => *index,
            None => {
                let index = crate::pool::count(self.source.files.len());
                self.source.files.push(file.to_owned());
                self.files.insert(file.to_owned(), index);
                index
            }
        };
        let node = Node { parent, file, line };
        *self.nodes.entry(node).or_insert_with(|| {
            self.source.nodes.push(node);
            crate::pool::count(self.source.nodes.len())
        })
    }

    fn stretch(&mut self, start: u64, node: u32) {
        let last = self.source.stretches.last().map_or(0, |(_, node)| *node);
        let Ok(start) = u32::try_from(start) else {
            return;
        };
        if last != node && start < self.source.text_length {
            self.source.stretches.push((start, node));
        }
    }
}

/// What only the line programs say, for a comparison.
#[cfg(test)]
pub(crate) fn plain_rows(name: &str, object: &[u8]) -> Result<Vec<Row>> {
    let debug = Debug::load(name, object)?;
    let dwarf = debug
        .sections
        .borrow(|section| EndianSlice::new(section, LittleEndian));
    rows(&dwarf).map_err(|error| Error::object(name, error))
}
