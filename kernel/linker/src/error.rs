//! What can be wrong with an object, and with linking one.

use crate::{elf::ElfError, format::metadata::MetadataError, relocation::ApplyError};
use alloc::string::String;
use core::fmt;

/// Why bytes are not an object for this linker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectError {
    /// Not an ELF file, or one of another kind.
    Elf(ElfError),
    /// Something is wrong with a section.
    Section {
        /// Index of the section.
        index: usize,
        /// Its name, as far as it can be read.
        name: String,
        /// What is wrong.
        problem: SectionProblem,
    },
    /// Something is wrong with a symbol.
    Symbol {
        /// Index of the symbol.
        index: usize,
        /// Its name, as far as it can be read.
        name: String,
        /// What is wrong.
        problem: SymbolProblem,
    },
    /// Something is wrong with a relocation.
    Relocation {
        /// Name of the section that it changes.
        section: String,
        /// Offset of its place in the section.
        offset: u64,
        /// What is wrong.
        problem: RelocationProblem,
    },
    /// A section that every object has is missing.
    NoSection(&'static str),
    /// The `.strake` section is not metadata.
    Metadata(MetadataError),
    /// Built by another toolchain, or with other code-generation flags.
    Toolchain {
        /// Name of the object.
        object: String,
        /// Its toolchain's id.
        found: u128,
        /// The id of the toolchain that built the running system.
        expected: u128,
    },
}

/// What is wrong with a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SectionProblem {
    /// Its name lies outside the name table or is not UTF-8.
    Name,
    /// Its contents lie outside the file.
    Outside,
    /// Its type has no meaning in an object.
    Type(u32),
    /// Its alignment is not a power of two up to a page.
    Alignment(u64),
    /// It is writable and executable at once.
    WritableText,
    /// It is for thread-local storage, which components do not have.
    ThreadLocal,
    /// Its size is not a multiple of its entries' size, or it is beyond 2 GiB.
    Size(u64),
    /// A relocation table refers to a section that does not exist or has no relocations yet.
    Target(u32),
    /// There is a second one.
    Twice,
}

/// What is wrong with a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SymbolProblem {
    /// Its name lies outside the name table or is not UTF-8.
    Name,
    /// Its section does not exist or is not loaded.
    Section(u16),
    /// It ends outside its section.
    Outside {
        /// Its offset in the section.
        value: u64,
        /// Its size.
        size: u64,
    },
    /// The metadata gives it a class that its section contradicts.
    Class(u16),
    /// The metadata has another number of symbols than the symbol table.
    Count {
        /// Symbols in the metadata.
        metadata: usize,
        /// Symbols in the symbol table.
        table: usize,
    },
}

/// What is wrong with a relocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelocationProblem {
    /// This linker does not know the type.
    Type(u32),
    /// There is no symbol with this index.
    Symbol(u32),
    /// Its place lies outside the section.
    Outside,
    /// It changes a section without bits in the file.
    NoBits,
}

impl fmt::Display for ObjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Elf(error) => error.fmt(f),
            Self::Section {
                index,
                name,
                problem,
            } => {
                write!(f, "section {index} \"{name}\" {problem}")
            }
            Self::Symbol {
                index,
                name,
                problem,
            } => {
                write!(f, "symbol {index} \"{name}\" {problem}")
            }
            Self::Relocation {
                section,
                offset,
                problem,
            } => {
                write!(f, "relocation at {section}+{offset:#x} {problem}")
            }
            Self::NoSection(name) => write!(f, "there is no section \"{name}\""),
            Self::Metadata(error) => error.fmt(f),
            Self::Toolchain {
                object,
                found,
                expected,
            } => write!(
                f,
                "{object} was built by another toolchain or with other flags (id {found:032x}, \
                 the running system's is {expected:032x})"
            ),
        }
    }
}

impl core::error::Error for ObjectError {}

impl fmt::Display for SectionProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("has no readable name"),
            Self::Outside => f.write_str("lies outside the file"),
            Self::Type(found) => write!(f, "has type {found:#x}, which an object cannot have"),
            Self::Alignment(found) => write!(f, "has alignment {found:#x}"),
            Self::WritableText => f.write_str("is writable and executable"),
            Self::ThreadLocal => f.write_str("is thread-local"),
            Self::Size(found) => write!(f, "has size {found:#x}"),
            Self::Target(found) => write!(f, "relocates section {found}, which cannot be"),
            Self::Twice => f.write_str("is there twice"),
        }
    }
}

impl fmt::Display for SymbolProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("has no readable name"),
            Self::Section(found) => write!(f, "lies in section {found}, which is not loaded"),
            Self::Outside { value, size } => {
                write!(
                    f,
                    "({size:#x} bytes from {value:#x}) lies outside its section"
                )
            }
            Self::Class(found) => write!(f, "has class {found}, which its section contradicts"),
            Self::Count { metadata, table } => {
                write!(
                    f,
                    "is not one of {metadata} that the metadata knows (of {table})"
                )
            }
        }
    }
}

impl fmt::Display for RelocationProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type(found) => write!(f, "has unknown type {found}"),
            Self::Symbol(found) => write!(f, "names symbol {found}, which does not exist"),
            Self::Outside => f.write_str("lies outside its section"),
            Self::NoBits => f.write_str("changes a section without contents"),
        }
    }
}

/// Why an object cannot be linked. Every variant names the object that was being linked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkError {
    /// Nobody defines a symbol that the object imports.
    Missing {
        /// The object.
        object: String,
        /// The symbol (ELF name).
        symbol: String,
    },
    /// Two objects define the same symbol, and neither definition is weak.
    Duplicate {
        /// The object.
        object: String,
        /// The symbol (ELF name).
        symbol: String,
        /// The object that defines it already.
        other: String,
    },
    /// A relocation's value does not fit in its place.
    Relocation {
        /// The object.
        object: String,
        /// The section.
        section: String,
        /// Offset of the place in the section.
        offset: u64,
        /// The symbol (ELF name; of a section symbol, the section).
        symbol: String,
        /// What is wrong.
        problem: ApplyError,
    },
    /// An address in the middle of a function is wanted where only the entry has a stub.
    IntoFunction {
        /// The object.
        object: String,
        /// The section.
        section: String,
        /// Offset of the place in the section.
        offset: u64,
        /// The function (ELF name).
        symbol: String,
        /// The addend.
        addend: i64,
    },
    /// A symbol that needs a name has no key.
    NoKey {
        /// The object.
        object: String,
        /// The symbol (ELF name).
        symbol: String,
    },
    /// The stub area is full.
    NoStub {
        /// The object.
        object: String,
        /// The function (ELF name) that would need one.
        symbol: String,
    },
    /// The caller's images or placement are not what the object's layout asks for.
    Placement {
        /// The object.
        object: String,
        /// What differs.
        what: &'static str,
    },
    /// There is no component with this number.
    NoComponent(u32),
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { object, symbol } => {
                write!(f, "{object} needs {symbol}, which nobody defines")
            }
            Self::Duplicate {
                object,
                symbol,
                other,
            } => {
                write!(f, "{object} and {other} both define {symbol}")
            }
            Self::Relocation {
                object,
                section,
                offset,
                symbol,
                problem,
            } => write!(
                f,
                "{object}: relocation at {section}+{offset:#x} to {symbol}: {problem}"
            ),
            Self::IntoFunction {
                object,
                section,
                offset,
                symbol,
                addend,
            } => write!(
                f,
                "{object}: relocation at {section}+{offset:#x} points {addend:#x} into {symbol}, \
                 whose entry alone has a stub"
            ),
            Self::NoKey { object, symbol } => {
                write!(f, "{object}: {symbol} has no key in the metadata")
            }
            Self::NoStub { object, symbol } => {
                write!(f, "{object}: the stub area is full, {symbol} has no stub")
            }
            Self::Placement { object, what } => {
                write!(f, "{object}: the caller's {what} does not fit the layout")
            }
            Self::NoComponent(index) => write!(f, "there is no component {index}"),
        }
    }
}

impl core::error::Error for LinkError {}
