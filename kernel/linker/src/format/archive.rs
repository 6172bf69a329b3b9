//! The archive: all objects of a build, and the index that says which of them is needed when.
//!
//! Layout: [`Header`], the tables it names, the string pool; then the members, each aligned to
//! [`ALIGNMENT`]. The header's checksum covers everything before the first member, a member's
//! checksum covers the member; both are XXH3-64, which a corrupt download or a bad disk does not
//! pass by chance and which costs about one instruction a byte.

use super::{IndexError, Record, Records, Span, Strings, index, record::records};
use xxhash_rust::xxh3::xxh3_64;

/// First word of the archive: `"STRAKEAR"` in ASCII.
pub const MAGIC: u64 = u64::from_le_bytes(*b"STRAKEAR");

/// Version of the format.
pub const VERSION: u32 = 1;

/// Alignment of members in bytes.
pub const ALIGNMENT: usize = 64;

/// [`Member::stage`] of a component that no stage starts.
pub const NO_STAGE: u32 = u32::MAX;

records! {
    /// The first record of the archive.
    pub struct Header {
        /// [`MAGIC`].
        pub magic: u64,
        /// [`VERSION`].
        pub version: u32,
        /// Length of header, tables and strings in bytes: where members may begin.
        pub index_length: u32,
        /// XXH3-64 of the first `index_length` bytes, taken with this field as 0.
        pub checksum: u64,
        /// Length of the archive in bytes.
        pub length: u64,
        /// Hash of all members' exact ids: names the build.
        pub build_id: u128,
        /// The toolchain that built every member.
        pub toolchain: u128,
        /// Table of [`Member`].
        pub members: Span,
        /// Table of [`Definition`], sorted by `key`: the default members' exported symbols.
        pub definitions: Span,
        /// Table of `u32`: dependencies, as member indices (see [`Member::dependencies`]).
        pub dependencies: Span,
        /// Table of [`Stage`], in start order.
        pub stages: Span,
        /// Table of `u32`: the members to start, as member indices, stage after stage.
        pub start_order: Span,
        /// Table of [`Command`], sorted by name.
        pub commands: Span,
        /// The string pool (in bytes).
        pub strings: Span,
        /// Where the nucleus goes when all is linked: the function `init::enter`.
        pub entry: Definition,
        /// Index of the default member of the application that `init` runs as the session.
        pub session: u32,
    }

    /// An object in the archive.
    pub struct Member {
        /// The component's name (string).
        pub name: Span,
        /// Its crate's version (string).
        pub version: Span,
        /// Empty for the member that is loaded by default, else the name of the alternate (string).
        pub variant: Span,
        /// Offset of the object in the archive.
        pub offset: u64,
        /// Length of the object in bytes.
        pub length: u64,
        /// XXH3-64 of the object.
        pub checksum: u64,
        /// The object's exact id.
        pub exact_id: u128,
        /// The object's content id.
        pub content_id: u128,
        /// The flags of the object's metadata.
        pub flags: u32,
        /// Index of the stage that starts it, or [`NO_STAGE`].
        pub stage: u32,
        /// Members that define what it imports: a span of records of the `dependencies` table,
        /// counted from the table's start.
        pub dependencies: Span,
    }

    /// An exported symbol and who defines it.
    pub struct Definition {
        /// The symbol's key.
        pub key: u64,
        /// Index of the member that defines it.
        pub member: u32,
        /// ELF symbol index in that member.
        pub symbol: u32,
    }

    /// A stage of the start-up.
    pub struct Stage {
        /// Its name (string).
        pub name: Span,
        /// Its components: a span of records of the `start_order` table, from the table's start.
        pub components: Span,
        /// 1 when the boot goes on without a component of this stage that cannot start, else 0.
        pub optional: u32,
    }

    /// A command that the shell knows.
    pub struct Command {
        /// What the user types (string).
        pub name: Span,
        /// One line for `help` (string).
        pub summary: Span,
        /// Index of the application's default member.
        pub member: u32,
    }
}

/// Why bytes are not an archive, or a member is not what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArchiveError {
    /// It is none, or not whole.
    Index(IndexError),
    /// A table or string lies outside the index.
    Table {
        /// Which.
        table: &'static str,
        /// Where it claims to be.
        span: Span,
    },
    /// There is no member with this index.
    NoMember(u32),
    /// A member lies outside the archive.
    MemberOutside(u32),
    /// A member does not have the checksum that the index gives.
    MemberChecksum {
        /// Index of the member.
        member: u32,
        /// Checksum of its bytes.
        found: u64,
        /// Checksum that the index gives.
        expected: u64,
    },
}

impl core::fmt::Display for ArchiveError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Index(error) => write!(f, "archive: {error}"),
            Self::Table { table, span } => write!(
                f,
                "archive's {table} ({} from {:#x}) lies outside the index",
                span.count, span.offset
            ),
            Self::NoMember(member) => write!(f, "archive has no member {member}"),
            Self::MemberOutside(member) => write!(f, "member {member} lies outside the archive"),
            Self::MemberChecksum {
                member,
                found,
                expected,
            } => write!(
                f,
                "member {member} is corrupt: checksum {found:#018x}, not {expected:#018x}"
            ),
        }
    }
}

impl core::error::Error for ArchiveError {}

impl From<IndexError> for ArchiveError {
    fn from(error: IndexError) -> Self {
        Self::Index(error)
    }
}

/// A checked view of an archive.
#[derive(Clone, Copy)]
pub struct Archive<'a> {
    bytes: &'a [u8],
    /// The header.
    pub header: Header,
    /// The members.
    pub members: Records<'a, Member>,
    /// Exported symbols of the default members, sorted by key.
    pub definitions: Records<'a, Definition>,
    /// Dependencies, as spans of members name them.
    pub dependencies: Records<'a, u32>,
    /// The stages, in start order.
    pub stages: Records<'a, Stage>,
    /// The members to start, in order.
    pub start_order: Records<'a, u32>,
    /// The commands, sorted by name.
    pub commands: Records<'a, Command>,
    /// The string pool.
    pub strings: Strings<'a>,
}

impl<'a> Archive<'a> {
    /// Checks the index of `bytes`. The members are checked one by one, by [`Archive::object`].
    ///
    /// # Errors
    ///
    /// When the bytes are cut off, corrupt, of another format or version, or a table lies outside.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ArchiveError> {
        let (index, bytes) = index::check(bytes, MAGIC, VERSION, Header::SIZE)?;
        // It has been looked at, and is as long as its header.
        let header = Header::decode(index).ok_or(IndexError::Truncated {
            length: index.len(),
            expected: Header::SIZE as u64,
        })?;
        let outside = |table, span| ArchiveError::Table { table, span };
        macro_rules! table {
            ($table:ident) => {
                Records::new(index, header.$table)
                    .ok_or_else(|| outside(stringify!($table), header.$table))?
            };
        }
        Ok(Self {
            bytes,
            header,
            members: table!(members),
            definitions: table!(definitions),
            dependencies: table!(dependencies),
            stages: table!(stages),
            start_order: table!(start_order),
            commands: table!(commands),
            strings: Strings::new(index, header.strings)
                .ok_or_else(|| outside("strings", header.strings))?,
        })
    }

    /// The member with this index.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn member(&self, index: u32) -> Result<Member, ArchiveError> {
        usize::try_from(index)
            .ok()
            .and_then(|index| self.members.get(index))
            .ok_or(ArchiveError::NoMember(index))
    }

    /// The bytes of the member with this index, after a look at their checksum.
    ///
    /// # Errors
    ///
    /// When there is no such member, it lies outside the archive, or its checksum is wrong.
    pub fn object(&self, index: u32) -> Result<&'a [u8], ArchiveError> {
        let member = self.member(index)?;
        let start = usize::try_from(member.offset).ok();
        let length = usize::try_from(member.length).ok();
        let bytes = start
            .zip(length)
            .and_then(|(start, length)| self.bytes.get(start..start.checked_add(length)?))
            .ok_or(ArchiveError::MemberOutside(index))?;
        let found = xxh3_64(bytes);
        if found != member.checksum {
            let expected = member.checksum;
            return Err(ArchiveError::MemberChecksum {
                member: index,
                found,
                expected,
            });
        }
        Ok(bytes)
    }

    /// The string at `span`, or "?" when it lies outside the pool.
    #[must_use]
    pub fn text(&self, span: Span) -> &'a str {
        self.strings.get(span).unwrap_or("?")
    }

    /// The index of the member with this name and variant (empty for the default).
    #[must_use]
    pub fn find(&self, name: &str, variant: &str) -> Option<u32> {
        let wanted = (Some(name.as_bytes()), Some(variant.as_bytes()));
        let position = self.members.position_by_key(wanted, |member| {
            (
                self.strings.bytes(member.name),
                self.strings.bytes(member.variant),
            )
        })?;
        u32::try_from(position).ok()
    }

    /// The command with this name.
    #[must_use]
    pub fn command(&self, name: &str) -> Option<Command> {
        self.commands.find_by_key(Some(name.as_bytes()), |command| {
            self.strings.bytes(command.name)
        })
    }

    /// The default member that defines `key`, and the symbol's index in it.
    #[must_use]
    pub fn definition(&self, key: u64) -> Option<Definition> {
        self.definitions
            .find_by_key(key, |definition| definition.key)
    }

    /// The members whose exports `member` imports.
    pub fn dependencies_of(&self, member: &Member) -> impl Iterator<Item = u32> + use<'a> {
        let start = member.dependencies.offset as usize;
        let end = start.saturating_add(member.dependencies.count as usize);
        let dependencies = self.dependencies;
        (start..end).map_while(move |index| dependencies.get(index))
    }
}
