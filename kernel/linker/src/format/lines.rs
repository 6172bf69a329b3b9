//! Line tables: from an offset in a component's text to file and line, in a side archive of their own.
//!
//! Nothing of it is needed to run, so it stands behind what is: the boot module holds it behind the
//! archive, and an object that is sent into a running system has those of its own behind it, found by
//! a [`Footer`]. Nobody reads it before somebody asks.
//!
//! A table belongs to an exact id, so that one of another build is never taken for it. It says what each
//! stretch of text comes from as a *node*: a file, a line, and the node that the code was inlined into.
//! Layout: [`Header`], the tables it names, the string pool; then a [`Table`] a member. A table has its
//! nodes and its stretches in groups, each of which begins at a known position and with all that the
//! numbers in it are relative to, so that a lookup reads one group of stretches and one group of nodes for
//! each level of inlining. Numbers are in LEB128, signed ones zigzag:
//!
//! | stretch | node |
//! |---|---|
//! | bytes since the beginning of the last one | how many nodes before it the one is that it was inlined into; 0 for none |
//! | node, from the last one's | file, as an index of the table's list, from the last one's |
//! | | line, from the last one's |
//!
//! Node 0 is none: text that comes from no line. The others count from 1.

use super::{IndexError, Record, Records, Span, Strings, index, record::records};
use core::fmt;
use xxhash_rust::xxh3::xxh3_64;

/// First word of a side archive: `"STRAKELN"` in ASCII.
pub const MAGIC: u64 = u64::from_le_bytes(*b"STRAKELN");

/// Version of the format.
pub const VERSION: u32 = 1;

/// Last word of a [`Footer`]: `"STRAKEFT"` in ASCII.
pub const FOOTER_MAGIC: u64 = u64::from_le_bytes(*b"STRAKEFT");

/// Stretches in a group; the last group may have fewer.
pub const STRETCHES_PER_GROUP: usize = 64;

/// Nodes in a group; the last group may have fewer.
pub const NODES_PER_GROUP: usize = 32;

records! {
    /// The first record of a side archive.
    pub struct Header {
        /// [`MAGIC`].
        pub magic: u64,
        /// [`VERSION`].
        pub version: u32,
        /// Length of header, tables and strings in bytes: where line tables may begin.
        pub index_length: u32,
        /// XXH3-64 of the first `index_length` bytes, taken with this field as 0.
        pub checksum: u64,
        /// Length of the side archive in bytes.
        pub length: u64,
        /// Table of [`Member`], sorted by `exact_id`.
        pub members: Span,
        /// Table of [`Span`]: the files' names (strings).
        pub files: Span,
        /// The string pool (in bytes).
        pub strings: Span,
    }

    /// A line table in a side archive.
    pub struct Member {
        /// The exact id of the object that it belongs to.
        pub exact_id: u128,
        /// Offset of the table in the side archive.
        pub offset: u32,
        /// Length of the table in bytes.
        pub length: u32,
        /// XXH3-64 of the table.
        pub checksum: u64,
    }

    /// The first record of a line table. Spans count from its start.
    pub struct Table {
        /// Table of `u32`: the files that the table names, as indices of the side archive's.
        pub files: Span,
        /// Table of [`Group`], sorted by `text_offset`.
        pub groups: Span,
        /// Table of `u32`: where the groups of nodes begin.
        pub node_groups: Span,
        /// Length of the text that the table is about, in bytes.
        pub text_length: u32,
    }

    /// Where a group of stretches begins.
    pub struct Group {
        /// In the text.
        pub text_offset: u32,
        /// In the line table.
        pub position: u32,
    }

    /// What stands behind a side archive that is appended to something.
    pub struct Footer {
        /// Length of the side archive in bytes, without this record.
        pub length: u64,
        /// [`FOOTER_MAGIC`].
        pub magic: u64,
    }
}

/// Why there is no line to be had of a side archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinesError {
    /// It is no side archive, or not whole.
    Index(IndexError),
    /// A table lies outside of what it belongs to.
    Outside {
        /// Which.
        table: &'static str,
        /// Where it claims to be.
        span: Span,
    },
    /// A line table does not have the checksum that the index gives.
    TableChecksum {
        /// The exact id of the object that it belongs to.
        exact_id: u128,
        /// Checksum of its bytes.
        found: u64,
        /// Checksum that the index gives.
        expected: u64,
    },
}

impl fmt::Display for LinesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(error) => write!(f, "line tables: {error}"),
            Self::Outside { table, span } => write!(
                f,
                "{table} of the line tables ({} from {:#x}) lie outside",
                span.count, span.offset
            ),
            Self::TableChecksum {
                exact_id,
                found,
                expected,
            } => write!(
                f,
                "line table of {exact_id:032x} is damaged: checksum {found:#018x}, not {expected:#018x}"
            ),
        }
    }
}

impl core::error::Error for LinesError {}

impl From<IndexError> for LinesError {
    fn from(error: IndexError) -> Self {
        Self::Index(error)
    }
}

/// Takes apart an object and the side archive behind it; the latter is empty when there is none.
#[must_use]
pub fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let split = || {
        let end = bytes.len().checked_sub(Footer::SIZE)?;
        let footer = Footer::decode(bytes.get(end..)?)?;
        let length = usize::try_from(footer.length).ok()?;
        let start = end.checked_sub(length)?;
        (footer.magic == FOOTER_MAGIC).then_some(())?;
        Some((bytes.get(..start)?, bytes.get(start..end)?))
    };
    split().unwrap_or((bytes, &[]))
}

/// A checked view of a side archive.
#[derive(Clone, Copy)]
pub struct SideArchive<'a> {
    bytes: &'a [u8],
    /// Its line tables, sorted by exact id.
    pub members: Records<'a, Member>,
    files: Records<'a, Span>,
    strings: Strings<'a>,
}

impl<'a> SideArchive<'a> {
    /// Checks the index of `bytes`. Tables are checked one by one, by [`SideArchive::table`].
    ///
    /// # Errors
    ///
    /// When the bytes are cut off, damaged, of another format or version, or a table lies outside.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, LinesError> {
        let (index, bytes) = index::check(bytes, MAGIC, VERSION, Header::SIZE)?;
        // It has been looked at, and is as long as its header.
        let header = Header::decode(index).ok_or(IndexError::Truncated {
            length: index.len(),
            expected: Header::SIZE as u64,
        })?;
        let outside = |table, span| LinesError::Outside { table, span };
        Ok(Self {
            bytes,
            members: Records::new(index, header.members)
                .ok_or(outside("members", header.members))?,
            files: Records::new(index, header.files).ok_or(outside("files", header.files))?,
            strings: Strings::new(index, header.strings)
                .ok_or(outside("strings", header.strings))?,
        })
    }

    fn file(&self, index: u32) -> Option<&'a str> {
        let name = self.files.get(usize::try_from(index).ok()?)?;
        self.strings.get(name)
    }

    /// The line table of the object with this exact id, after a look at its checksum; `None` when there
    /// is none.
    ///
    /// # Errors
    ///
    /// When the table lies outside or is damaged.
    pub fn table(&self, exact_id: u128) -> Result<Option<LineTable<'a>>, LinesError> {
        let Some(member) = self.members.find_by_key(exact_id, |member| member.exact_id) else {
            return Ok(None);
        };
        let span = Span {
            offset: member.offset,
            count: member.length,
        };
        let outside = |table, span| LinesError::Outside { table, span };
        let bytes = part(self.bytes, span).ok_or(outside("contents", span))?;
        let found = xxh3_64(bytes);
        if found != member.checksum {
            return Err(LinesError::TableChecksum {
                exact_id,
                found,
                expected: member.checksum,
            });
        }
        let header = Table::decode(bytes).ok_or(outside("contents", span))?;
        Ok(Some(LineTable {
            archive: *self,
            bytes,
            files: Records::new(bytes, header.files).ok_or(outside("files", header.files))?,
            groups: Records::new(bytes, header.groups).ok_or(outside("groups", header.groups))?,
            node_groups: Records::new(bytes, header.node_groups)
                .ok_or(outside("groups", header.node_groups))?,
            text_length: header.text_length,
        }))
    }
}

/// A checked view of a line table.
#[derive(Clone, Copy)]
pub struct LineTable<'a> {
    archive: SideArchive<'a>,
    bytes: &'a [u8],
    files: Records<'a, u32>,
    groups: Records<'a, Group>,
    node_groups: Records<'a, u32>,
    text_length: u32,
}

/// A line of a source file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Line<'a> {
    /// The file, as the compiler names it.
    pub file: &'a str,
    /// The line, from 1 on; 0 when the compiler gives none.
    pub line: u32,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

impl<'a> LineTable<'a> {
    /// Its bytes.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The names of its files, in the order of its list.
    pub fn file_names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let table = *self;
        (0..table.files.len()).map(move |index| {
            let file = table.files.get(index);
            file.and_then(|file| table.archive.file(file))
                .unwrap_or("?")
        })
    }

    /// The lines that the instruction at `offset` in the text comes from, the innermost first: each
    /// was inlined into the next. None when the table knows of none. Allocates nothing.
    pub fn at(&self, offset: u32) -> impl Iterator<Item = Line<'a>> + use<'a> {
        let table = *self;
        let mut node = self.node_at(offset).unwrap_or(0);
        core::iter::from_fn(move || {
            let found = table.node(node)?;
            node = found.parent;
            Some(found.line)
        })
    }

    /// The node of the stretch that `offset` lies in.
    fn node_at(&self, offset: u32) -> Option<u32> {
        if offset >= self.text_length {
            return None;
        }
        let index = last_at_most(&self.groups, offset)?;
        let group = self.groups.get(index)?;
        let mut input = Input::at(self.bytes, group.position)?;
        let (mut start, mut node, mut found) = (group.text_offset, 0_u32, None);
        for _ in 0..STRETCHES_PER_GROUP {
            // The last group of all may be shorter, and ends with the table.
            let Some((delta, change)) = input.number().zip(input.signed()) else {
                break;
            };
            start = start.checked_add(delta)?;
            if start > offset {
                break;
            }
            node = node.checked_add_signed(change)?;
            found = Some(node);
        }
        found
    }

    /// The node with this number; `None` for 0, and for one that is damaged or not there.
    fn node(&self, number: u32) -> Option<Node<'a>> {
        let index = usize::try_from(number.checked_sub(1)?).ok()?;
        let position = self.node_groups.get(index / NODES_PER_GROUP)?;
        let mut input = Input::at(self.bytes, position)?;
        let (mut file, mut line, mut distance) = (0_u32, 0_u32, 0);
        for _ in 0..=index % NODES_PER_GROUP {
            distance = input.number()?;
            file = file.checked_add_signed(input.signed()?)?;
            line = line.checked_add_signed(input.signed()?)?;
        }
        let file = self
            .archive
            .file(self.files.get(usize::try_from(file).ok()?)?)?;
        // It lies before this one, so a walk outwards ends.
        let parent = match distance {
            0 => 0,
            distance => number.checked_sub(distance)?,
        };
        Some(Node {
            parent,
            line: Line { file, line },
        })
    }
}

/// What code comes from.
struct Node<'a> {
    /// The node that it was inlined into; 0 for none.
    parent: u32,
    line: Line<'a>,
}

/// Index of the last group that begins at `offset` or before.
fn last_at_most(groups: &Records<'_, Group>, offset: u32) -> Option<usize> {
    let (mut low, mut high) = (0, groups.len());
    while low < high {
        let middle = low + (high - low) / 2;
        if groups.get(middle)?.text_offset <= offset {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low.checked_sub(1)
}

fn part(bytes: &[u8], span: Span) -> Option<&[u8]> {
    let start = usize::try_from(span.offset).ok()?;
    bytes.get(start..start.checked_add(usize::try_from(span.count).ok()?)?)
}

/// Numbers of varying length.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn at(bytes: &'a [u8], position: u32) -> Option<Self> {
        bytes.get(usize::try_from(position).ok()?..).map(Self)
    }

    fn number(&mut self) -> Option<u32> {
        let mut number = 0;
        for shift in (0..u32::BITS).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i32> {
        let number = self.number()?;
        Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }
}

/// Appends `number` as [`LineTable`] reads it.
pub fn put_number(out: &mut alloc::vec::Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        out.extend_from_slice(&[number.to_le_bytes()[0] | 0x80]);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

/// Appends the difference of two numbers as [`LineTable`] reads it.
pub fn put_change(out: &mut alloc::vec::Vec<u8>, from: u32, to: u32) {
    let change = to.wrapping_sub(from).cast_signed();
    put_number(out, (change << 1 ^ change >> 31).cast_unsigned());
}
