//! The tables of an ELF file, found and checked section by section.

use crate::{
    elf::{self, ElfFile},
    error::{ObjectError, SectionProblem},
    format::metadata,
    object::{Section, SectionKind},
};
use alloc::{string::ToString, vec::Vec};
use core::ops::Range;
use goblin::elf64::{
    reloc::SIZEOF_RELA,
    section_header::{
        SHF_ALLOC, SHF_EXECINSTR, SHF_TLS, SHF_WRITE, SHT_NOBITS, SHT_NOTE, SHT_PROGBITS, SHT_RELA,
        SHT_SYMTAB, SHT_X86_64_UNWIND, SectionHeader,
    },
    sym::SIZEOF_SYM,
};

/// The largest alignment of a section: a page.
const MAX_ALIGNMENT: u64 = handover::layout::PAGE_SIZE;

/// The largest section: more than this could not be reached with 32-bit displacements.
const MAX_SIZE: u64 = 1 << 30;

/// The tables of a file, found and checked section by section.
pub(crate) struct Tables<'a> {
    pub(crate) sections: Vec<Section<'a>>,
    pub(crate) symbols: &'a [u8],
    pub(crate) strings: &'a [u8],
    pub(crate) metadata: &'a [u8],
    pub(crate) metadata_place: Range<usize>,
}

impl<'a> Tables<'a> {
    pub(crate) fn read(file: &ElfFile<'a>) -> Result<Self, ObjectError> {
        let names = file
            .section(usize::from(file.names_index))
            .and_then(|header| file.contents(&header))
            .ok_or(ObjectError::NoSection(".shstrtab"))?;
        let mut reader = TableReader {
            names,
            symbols: None,
            metadata: None,
            sections: Vec::new(),
            relocations: Vec::new(),
        };
        reader.sections.reserve_exact(file.section_count());
        for index in 0..file.section_count() {
            reader.named(file, index, TableReader::read_section)?;
        }
        // Only now are all sections known that they may belong to.
        for index in core::mem::take(&mut reader.relocations) {
            reader.named(file, index, TableReader::attach_relocations)?;
        }
        let (symbols, strings_index) = reader.symbols.ok_or(ObjectError::NoSection(".symtab"))?;
        let strings = usize::try_from(strings_index)
            .ok()
            .and_then(|index| file.section(index))
            .and_then(|header| file.contents(&header))
            .ok_or(ObjectError::NoSection(".strtab"))?;
        let (metadata, offset) = reader
            .metadata
            .ok_or(ObjectError::NoSection(metadata::SECTION))?;
        // The contents lie inside the file, so their offset is one in memory.
        let start = usize::try_from(offset).unwrap_or_default();
        Ok(Self {
            sections: reader.sections,
            symbols,
            strings,
            metadata,
            metadata_place: start..start + metadata.len(),
        })
    }
}

struct TableReader<'a> {
    names: &'a [u8],
    symbols: Option<(&'a [u8], u32)>,
    metadata: Option<(&'a [u8], u64)>,
    sections: Vec<Section<'a>>,
    /// The sections that hold relocations.
    relocations: Vec<usize>,
}

type Step<'a> =
    fn(&mut TableReader<'a>, &ElfFile<'a>, &SectionHeader, &'a str) -> Result<(), SectionProblem>;

impl<'a> TableReader<'a> {
    /// Runs `step` on a section and names the section in its error.
    fn named(
        &mut self,
        file: &ElfFile<'a>,
        index: usize,
        step: Step<'a>,
    ) -> Result<(), ObjectError> {
        let failed = |name: &str, problem| {
            Err(ObjectError::Section {
                index,
                name: name.to_string(),
                problem,
            })
        };
        let Some(header) = file.section(index) else {
            return failed("?", SectionProblem::Outside);
        };
        let Some(name) = elf::string(self.names, header.sh_name) else {
            return failed("?", SectionProblem::Name);
        };
        step(self, file, &header, name).or_else(|problem| failed(name, problem))
    }

    fn read_section(
        &mut self,
        file: &ElfFile<'a>,
        header: &SectionHeader,
        name: &'a str,
    ) -> Result<(), SectionProblem> {
        let contents = file.contents(header).ok_or(SectionProblem::Outside)?;
        if header.sh_type == SHT_SYMTAB {
            if !contents.len().is_multiple_of(SIZEOF_SYM) {
                return Err(SectionProblem::Size(header.sh_size));
            }
            if self.symbols.replace((contents, header.sh_link)).is_some() {
                return Err(SectionProblem::Twice);
            }
        }
        if header.sh_type == SHT_RELA {
            self.relocations.push(self.sections.len());
        }
        let place = (contents, header.sh_offset);
        if name == metadata::SECTION && self.metadata.replace(place).is_some() {
            return Err(SectionProblem::Twice);
        }
        let kind = section_kind(header, name)?;
        if kind != SectionKind::Unloaded {
            check_loaded(header)?;
        }
        let data = if kind == SectionKind::Unloaded {
            &[]
        } else {
            contents
        };
        let align = header.sh_addralign.max(1);
        let size = header.sh_size;
        self.sections.push(Section {
            name,
            kind,
            size,
            align,
            data,
            relocations: &[],
        });
        Ok(())
    }

    fn attach_relocations(
        &mut self,
        file: &ElfFile<'a>,
        header: &SectionHeader,
        _name: &'a str,
    ) -> Result<(), SectionProblem> {
        let contents = file.contents(header).ok_or(SectionProblem::Outside)?;
        if !contents.len().is_multiple_of(SIZEOF_RELA) {
            return Err(SectionProblem::Size(header.sh_size));
        }
        let problem = SectionProblem::Target(header.sh_info);
        let index = usize::try_from(header.sh_info).map_err(|_| problem)?;
        let target = self.sections.get_mut(index).ok_or(problem)?;
        if !target.relocations.is_empty() {
            return Err(problem);
        }
        if target.kind != SectionKind::Unloaded {
            target.relocations = contents;
        }
        Ok(())
    }
}

/// What a section becomes. Writable is state, but for what the compiler writes only to relocate it:
/// `.data.rel.ro*` and the pointer to the personality function.
fn section_kind(header: &SectionHeader, name: &str) -> Result<SectionKind, SectionProblem> {
    let has = |flag: u32| header.sh_flags & u64::from(flag) != 0;
    if !has(SHF_ALLOC) || header.sh_type == SHT_NOTE {
        return Ok(SectionKind::Unloaded);
    }
    match header.sh_type {
        SHT_PROGBITS | SHT_NOBITS | SHT_X86_64_UNWIND => {}
        other => return Err(SectionProblem::Type(other)),
    }
    if has(SHF_TLS) {
        return Err(SectionProblem::ThreadLocal);
    }
    let relocated_only = name.starts_with(".data.rel.ro") || name.starts_with(".data.DW.ref.");
    Ok(
        match (has(SHF_EXECINSTR), has(SHF_WRITE) && !relocated_only) {
            (true, true) => return Err(SectionProblem::WritableText),
            (true, false) => SectionKind::Text,
            (false, true) => SectionKind::Static,
            (false, false) if name == ".eh_frame" => SectionKind::UnwindFrames,
            (false, false) if name.starts_with(".gcc_except_table") => SectionKind::LandingPads,
            (false, false) => SectionKind::Rodata,
        },
    )
}

fn check_loaded(header: &SectionHeader) -> Result<(), SectionProblem> {
    let align = header.sh_addralign.max(1);
    if !align.is_power_of_two() || align > MAX_ALIGNMENT {
        return Err(SectionProblem::Alignment(header.sh_addralign));
    }
    if header.sh_size > MAX_SIZE {
        return Err(SectionProblem::Size(header.sh_size));
    }
    Ok(())
}
