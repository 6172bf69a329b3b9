//! An oracle for the linker: the same objects linked by `rust-lld`, and every relocation compared.
//!
//! Two linkers may place sections where they like, may leave a load from the GOT or relax it, and
//! ours puts a stub before a function. What must agree is what each place *leads to*: the section
//! of which object, and the offset in it. So both results are made into a [`View`], each place is
//! decoded by its relocation's type, and followed through one GOT word and one stub.
//!
//! Principles: the oracle shares nothing with the linker that it judges but the inputs and the placement
//! it chose itself; objects and `rust-lld`'s output are read by another ELF crate.
//!
//! Left out: which of several right ways the linker took (whether a reference has a stub at all);
//! its own tests say that.
#![forbid(unsafe_code)]

mod error;
mod ours;
mod reference;
mod view;

pub use error::OracleError;
pub use ours::link as link_ours;
pub use reference::{Linker, link as link_reference};
pub use view::{Place, View};

use object::read::elf::{ElfFile64, SectionHeader as _};
use object::{LittleEndian, Object as _, ObjectSection as _, ObjectSymbol as _, RelocationFlags};

/// An object to link.
#[derive(Clone, Debug)]
pub struct Input {
    /// What to call it.
    pub name: String,
    /// The ELF relocatable file.
    pub bytes: Vec<u8>,
}

/// What comparing found.
#[derive(Debug, Default)]
pub struct Report {
    /// Relocations that were compared.
    pub relocations: usize,
    /// Of these, those that our linker leads through a stub.
    pub through_stubs: usize,
    /// Of these, those that our linker leads through a GOT word.
    pub through_got: usize,
    /// Relocations that lead to another place than the reference.
    pub mismatches: Vec<Mismatch>,
}

/// A relocation that does not lead where it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The object it is in.
    pub object: String,
    /// The section it is in.
    pub section: String,
    /// Its offset there.
    pub offset: u64,
    /// The symbol it names.
    pub symbol: String,
    /// Where ours leads.
    pub ours: String,
    /// Where the reference leads.
    pub reference: String,
}

impl core::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self {
            object,
            section,
            offset,
            symbol,
            ours,
            reference,
        } = self;
        write!(
            f,
            "{object}, {section} + {offset:#x}, for {symbol}: leads to {ours}, should to {reference}"
        )
    }
}

/// Compares, relocation by relocation, where two links of `inputs` lead.
///
/// # Errors
///
/// When an input is not an object, has a relocation of a type that is not known here, or a place
/// cannot be read in either link.
pub fn compare(inputs: &[Input], ours: &View, reference: &View) -> Result<Report, OracleError> {
    let mut report = Report::default();
    for (number, input) in inputs.iter().enumerate() {
        let file = parse(input)?;
        for section in file.sections() {
            if !is_loaded(&section) {
                continue;
            }
            let name = section.name().unwrap_or("?");
            for (offset, relocation) in section.relocations() {
                let RelocationFlags::Elf { r_type } = relocation.flags() else {
                    continue;
                };
                let index = section.index().0;
                let addend = relocation.addend();
                let lead = |view: &View| {
                    view.lead((number, index), offset, r_type.0, addend)
                        .ok_or_else(|| OracleError::Unreadable {
                            object: input.name.clone(),
                            section: name.to_owned(),
                            offset,
                            kind: r_type.0,
                        })
                };
                let (found, wanted) = (lead(ours)?, lead(reference)?);
                report.relocations += 1;
                report.through_stubs += usize::from(found.through_stub);
                report.through_got += usize::from(found.through_got);
                let (our_places, places) =
                    (ours.places(found.address), reference.places(wanted.address));
                // The end of one section may be the start of the next.
                let same = our_places.iter().any(|place| places.contains(place))
                    || (found.address == 0 && wanted.address == 0);
                if !same {
                    report.mismatches.push(Mismatch {
                        object: input.name.clone(),
                        section: name.to_owned(),
                        offset,
                        symbol: symbol_name(&file, &relocation),
                        ours: describe(inputs, found.address, &our_places),
                        reference: describe(inputs, wanted.address, &places),
                    });
                }
            }
        }
    }
    Ok(report)
}

pub(crate) type File<'d> = ElfFile64<'d, LittleEndian>;
pub(crate) type Section<'d, 'f> = object::read::elf::ElfSection64<'d, 'f, LittleEndian>;

pub(crate) fn parse(input: &Input) -> Result<File<'_>, OracleError> {
    File::parse(input.bytes.as_slice()).map_err(|error| OracleError::Object {
        name: input.name.clone(),
        error,
    })
}

/// Whether the section takes part in linking.
pub(crate) fn is_loaded(section: &Section<'_, '_>) -> bool {
    let flags = section.elf_section_header().sh_flags(LittleEndian);
    flags.contains(object::elf::SHF_ALLOC)
}

fn symbol_name(file: &File<'_>, relocation: &object::Relocation) -> String {
    let object::RelocationTarget::Symbol(index) = relocation.target() else {
        return "nothing".to_owned();
    };
    let symbol = file.symbol_by_index(index);
    let name = symbol
        .ok()
        .and_then(|symbol| symbol.name().map(str::to_owned).ok());
    name.filter(|name| !name.is_empty())
        .unwrap_or_else(|| format!("symbol {}", index.0))
}

fn describe(inputs: &[Input], address: u64, places: &[Place]) -> String {
    let Some(place) = places.first() else {
        return format!("{address:#x}, where nothing is");
    };
    let object = inputs
        .get(place.object)
        .map_or("?", |input| input.name.as_str());
    format!("{object}, section {} + {:#x}", place.section, place.offset)
}
