//! An object's metadata: the contents of its `.strake` section.
//!
//! The image builder computes it from the object and its DWARF; the linker and the swap read it.
//! A *key* names a symbol or an item independently of the order in which `impl` blocks stand: it is
//! the hash of the demangled path with crate hashes and without impl ordinals (a name that is not
//! mangled stands for itself). A *digest* is the hash of a shape: a type's layout to any depth, a
//! function's signature, a static's type, a vtable's type and method order. Digest 0 means that the
//! compiler left no type information (prebuilt objects).

use super::{Record, Records, Span, Strings, record::records};

/// Name of the section.
pub const SECTION: &str = ".strake";

/// First word of the section: `"STRAKEMD"` in ASCII.
pub const MAGIC: u64 = u64::from_le_bytes(*b"STRAKEMD");

/// Version of the format.
pub const VERSION: u32 = 2;

/// Value of an index that names nothing.
pub const NO_INDEX: u32 = u32::MAX;

/// [`Header::flags`]: the manifest grants the crate `unsafe`, and it is a first-party crate.
pub const UNSAFE_GRANTED: u32 = 1;
/// [`Header::flags`]: the crate belongs to this repository.
pub const FIRST_PARTY: u32 = 2;
/// [`Header::flags`]: prebuilt by the toolchain's makers; it has no type information.
pub const PREBUILT: u32 = 4;
/// [`Header::flags`]: has a mutable static whose state cannot be carried to another build.
pub const STATE_NOT_TRANSFERABLE: u32 = 8;
/// [`Header::flags`]: an application: each run is an instance of its own.
pub const APPLICATION: u32 = 16;
/// [`Header::flags`]: the crate root carries `#![forbid(unsafe_code)]`, as the build has proved.
pub const UNSAFE_FORBIDDEN: u32 = 32;

records! {
    /// The first record of the section.
    pub struct Header {
        /// [`MAGIC`].
        pub magic: u64,
        /// [`VERSION`].
        pub version: u32,
        /// Length of the section in bytes.
        pub length: u32,
        /// Hash of the toolchain's version, target and code-generation flags.
        pub toolchain: u128,
        /// Exact id: hash of loaded sections, relocations by name, digests, toolchain and flags.
        pub exact_id: u128,
        /// Content id: the exact id with the lines and columns of panic locations taken as 0.
        pub content_id: u128,
        /// Flags, such as [`UNSAFE_GRANTED`].
        pub flags: u32,
        /// The crate's name (string).
        pub name: Span,
        /// The crate's version (string).
        pub crate_version: Span,
        /// ELF symbol index of the crate's `COMPONENT` static, or [`NO_INDEX`].
        pub component_symbol: u32,
        /// ELF symbol index of the crate's `APPLICATION` static, or [`NO_INDEX`].
        pub application_symbol: u32,
        /// Table of [`Symbol`], one for each ELF symbol, with the same index.
        pub symbols: Span,
        /// Table of [`Item`], sorted by (`kind`, `key`).
        pub items: Span,
        /// Table of [`FrameDescription`], sorted by `text_offset`.
        pub frames: Span,
        /// The string pool (in bytes).
        pub strings: Span,
    }

    /// What the linker knows of an ELF symbol.
    pub struct Symbol {
        /// The symbol's key, or 0 for a symbol that nothing can name (sections, files).
        pub key: u64,
        /// Of a function defined here, the digest of its shape; else 0.
        pub digest: u64,
        /// A [`Class`].
        pub class: u16,
        /// Padding, 0.
        pub reserved: u16,
    }

    /// Something whose shape both sides of a swap must agree on.
    pub struct Item {
        /// The item's key.
        pub key: u64,
        /// Digest of its shape.
        pub digest: u64,
        /// An [`ItemKind`].
        pub kind: u32,
        /// Its path as a person writes it (string); empty for items of other crates.
        pub name: Span,
        /// Its shape in one line (string), such as `{ a: u32 @0, b: u64 @8 } size 16 align 8`;
        /// empty for items of other crates.
        pub shape: Span,
    }

    /// Where the unwind information of a piece of text lies.
    pub struct FrameDescription {
        /// Offset in `.text` of the first byte that it covers.
        pub text_offset: u32,
        /// Number of bytes that it covers.
        pub length: u32,
        /// Offset of the frame description entry in `.eh_frame`.
        pub entry_offset: u32,
    }
}

/// What a symbol is to the linker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Class {
    /// A section, a file name, an absolute value: nothing that is bound by name.
    Other = 0,
    /// A function: a symbol in an executable section. References from elsewhere go to its stub.
    Function = 1,
    /// A mutable static: a symbol in a `.data.*` or `.bss.*` section. Its storage outlives versions.
    Static = 2,
    /// Read-only data: comes anew with each version.
    Constant = 3,
    /// Undefined here: imported from another object.
    Import = 4,
    /// Undefined and weak: 0 when nobody defines it.
    WeakImport = 5,
}

impl Class {
    /// The class with this number.
    #[must_use]
    pub const fn from_number(number: u16) -> Option<Self> {
        Some(match number {
            0 => Self::Other,
            1 => Self::Function,
            2 => Self::Static,
            3 => Self::Constant,
            4 => Self::Import,
            5 => Self::WeakImport,
            _ => return None,
        })
    }
}

/// What an [`Item`] describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum ItemKind {
    /// A named type: its layout to any depth.
    Type = 1,
    /// A function that has a symbol here: its signature.
    Function = 2,
    /// A mutable static: its type.
    Static = 3,
    /// A vtable: its concrete type's layout and its method order.
    Vtable = 4,
    /// An import: the digest of the function or static that it was compiled against.
    Import = 5,
    /// A mutable static's initial value (bytes and relocations by name). A difference is reported,
    /// not refused.
    InitialValue = 6,
    /// The closures of a function: their number and digests. A difference leaves the old closures'
    /// stubs on their old code.
    Closures = 7,
    /// A trait of which there is a vtable: its methods in the order of the table. Whoever calls
    /// through a trait object counts on that order, whatever type is behind it.
    Trait = 8,
    /// A method of such a trait, as far as the object has its code: its signature but for the
    /// receiver.
    Method = 9,
}

impl ItemKind {
    /// The kind with this number.
    #[must_use]
    pub const fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            1 => Self::Type,
            2 => Self::Function,
            3 => Self::Static,
            4 => Self::Vtable,
            5 => Self::Import,
            6 => Self::InitialValue,
            7 => Self::Closures,
            8 => Self::Trait,
            9 => Self::Method,
            _ => return None,
        })
    }
}

/// Why bytes are not an object's metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataError {
    /// Shorter than its header, or than the length that its header gives.
    Truncated {
        /// Bytes that are there.
        length: usize,
    },
    /// The first word is not [`MAGIC`].
    Magic(u64),
    /// The format's version is not [`VERSION`].
    Version(u32),
    /// A table or string lies outside the section.
    Table {
        /// Which.
        table: &'static str,
        /// Where it claims to be.
        span: Span,
    },
}

impl core::fmt::Display for MetadataError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Truncated { length } => write!(f, "metadata cut off after {length} bytes"),
            Self::Magic(found) => write!(f, "metadata begins with {found:#018x}, not \"STRAKEMD\""),
            Self::Version(found) => {
                write!(
                    f,
                    "metadata has format version {found}, this linker reads {VERSION}"
                )
            }
            Self::Table { table, span } => write!(
                f,
                "metadata's {table} ({} from {:#x}) lies outside the section",
                span.count, span.offset
            ),
        }
    }
}

impl core::error::Error for MetadataError {}

/// A checked view of an object's metadata.
#[derive(Clone, Copy)]
pub struct Metadata<'a> {
    /// The header.
    pub header: Header,
    /// The crate's name.
    pub name: &'a str,
    /// The crate's version.
    pub version: &'a str,
    /// One record for each ELF symbol.
    pub symbols: Records<'a, Symbol>,
    /// What both sides of a swap must agree on, sorted by (kind, key).
    pub items: Records<'a, Item>,
    /// The unwind index, sorted by text offset.
    pub frames: Records<'a, FrameDescription>,
    /// The string pool.
    pub strings: Strings<'a>,
}

impl<'a> Metadata<'a> {
    /// Checks `bytes`, the contents of a `.strake` section.
    ///
    /// # Errors
    ///
    /// When the bytes are cut off, of another format or version, or a table lies outside.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, MetadataError> {
        let truncated = MetadataError::Truncated {
            length: bytes.len(),
        };
        let header = Header::decode(bytes).ok_or(truncated)?;
        if header.magic != MAGIC {
            return Err(MetadataError::Magic(header.magic));
        }
        if header.version != VERSION {
            return Err(MetadataError::Version(header.version));
        }
        let length = usize::try_from(header.length).map_err(|_| truncated)?;
        let bytes = bytes.get(..length).ok_or(truncated)?;
        let outside = |table, span| MetadataError::Table { table, span };
        let strings = Strings::new(bytes, header.strings)
            .ok_or_else(|| outside("strings", header.strings))?;
        Ok(Self {
            header,
            name: strings
                .get(header.name)
                .ok_or_else(|| outside("name", header.name))?,
            version: strings
                .get(header.crate_version)
                .ok_or_else(|| outside("version", header.crate_version))?,
            symbols: Records::new(bytes, header.symbols)
                .ok_or_else(|| outside("symbols", header.symbols))?,
            items: Records::new(bytes, header.items)
                .ok_or_else(|| outside("items", header.items))?,
            frames: Records::new(bytes, header.frames)
                .ok_or_else(|| outside("frames", header.frames))?,
            strings,
        })
    }

    /// Whether the header has all of `flags`.
    #[must_use]
    pub const fn has(&self, flags: u32) -> bool {
        self.header.flags & flags == flags
    }

    /// The item of this kind and key.
    #[must_use]
    pub fn item(&self, kind: ItemKind, key: u64) -> Option<Item> {
        self.items
            .find_by_key((kind as u32, key), |item| (item.kind, item.key))
    }
}

impl Records<'_, FrameDescription> {
    /// The unwind information that covers `text_offset`.
    #[must_use]
    pub fn covering(&self, text_offset: u32) -> Option<FrameDescription> {
        // Only the first field of those that are passed by is decoded: unwinding searches for each frame.
        let starts_at_most = |index| self.start(index).is_some_and(|start| start <= text_offset);
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if starts_at_most(middle) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let frame = self.get(low.checked_sub(1)?)?;
        (text_offset - frame.text_offset < frame.length).then_some(frame)
    }

    /// The offset in `.text` at which record `index` begins.
    fn start(&self, index: usize) -> Option<u32> {
        self.field(index, 0)
    }
}
