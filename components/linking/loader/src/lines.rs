//! Which lines of which files an instruction comes from.
//!
//! The tables stand behind the archive in the boot module, and behind an object that came from outside.
//! Nothing of them is looked at before somebody asks, nothing is copied, and a lookup allocates nothing.
//! A table counts for the exact id that it was made for, and for no other build.

use crate::{archive, handover, texts};
use core::fmt;
use cpu::IrqMutex;
use linker::format::lines::{Line, LinesError, SideArchive};

/// An instruction, named so that it means the same after its text is gone, and elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodePlace {
    /// The exact id of the object.
    pub exact_id: u128,
    /// The instruction's offset in the object's text.
    pub text_offset: u64,
}

impl CodePlace {
    /// Where `address` lies, if in a component's text. Allocates nothing.
    #[must_use]
    pub fn of(address: u64) -> Option<Self> {
        let text = texts::text_at(address)?;
        Some(Self {
            exact_id: text.exact_id,
            text_offset: address - text.text().start,
        })
    }
}

impl fmt::Display for CodePlace {
    /// As `strake resolve` reads it on the host, behind the component's name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{:016x}+{:#x}", self.exact_id >> 64, self.text_offset)
    }
}

/// Why lines are not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoLines {
    /// The system was booted without line tables.
    NoTables,
    /// There is no table for this build of the component.
    OtherBuild,
    /// The code comes from no line.
    NoLine,
    /// The tables are not what they were.
    Damaged(LinesError),
}

impl fmt::Display for NoLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTables => f.write_str("the system was booted without line tables"),
            Self::OtherBuild => f.write_str("the line tables here are of other builds"),
            Self::NoLine => f.write_str("the code comes from no line"),
            Self::Damaged(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for NoLines {}

impl From<LinesError> for NoLines {
    fn from(error: LinesError) -> Self {
        Self::Damaged(error)
    }
}

/// The tables of the boot module, once somebody has asked for them and their index was found in order.
#[used]
static BOOT_TABLES: IrqMutex<Option<SideArchive<'static>>> = IrqMutex::new(None);

/// Calls `visit` with each line that the instruction at `place` comes from, the innermost first: each was
/// inlined into the next one. Takes no lock that a task could be unwound with, and allocates nothing.
///
/// # Errors
///
/// When they are not known.
pub fn lines_of(place: CodePlace, visit: &mut dyn FnMut(Line<'_>)) -> Result<(), NoLines> {
    let offset = u32::try_from(place.text_offset).map_err(|_| NoLines::NoLine)?;
    let mut find = |tables: &SideArchive<'_>| {
        let table = tables.table(place.exact_id)?;
        let mut found = false;
        for line in table.ok_or(NoLines::OtherBuild)?.at(offset) {
            // What the compiler has made up itself comes from line 0.
            if line.line != 0 {
                visit(line);
                found = true;
            }
        }
        found.then_some(()).ok_or(NoLines::NoLine)
    };
    if let Some(loaded) = texts::with_own_lines(place.exact_id)
        && let Some(object) = loaded.bytes.received()
    {
        return find(&SideArchive::parse(object.lines())?);
    }
    find(&boot_tables()?)
}

/// The tables of the boot module.
fn boot_tables() -> Result<SideArchive<'static>, NoLines> {
    let known = BOOT_TABLES.lock_unless_ours().and_then(|tables| *tables);
    if let Some(tables) = known {
        return Ok(tables);
    }
    let bytes = boot_bytes().filter(|bytes| !bytes.is_empty());
    let tables = SideArchive::parse(bytes.ok_or(NoLines::NoTables)?)?;
    if let Some(mut known) = BOOT_TABLES.lock_unless_ours() {
        *known = Some(tables);
    }
    Ok(tables)
}

/// What stands behind the archive.
fn boot_bytes() -> Option<&'static [u8]> {
    let length = usize::try_from(archive().ok()?.header.length).ok()?;
    handover().ok()?.archive.as_slice().get(length..)
}
