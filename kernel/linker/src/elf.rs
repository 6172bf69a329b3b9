//! ELF64 tables as checked views: bytes in, goblin's structures out, nothing outside the file.

use goblin::elf64::{
    header::{ELFCLASS64, ELFDATA2LSB, ELFMAG, EM_X86_64, ET_REL, SIZEOF_EHDR},
    reloc::{Rela, SIZEOF_RELA},
    section_header::{SHT_NOBITS, SIZEOF_SHDR, SectionHeader},
    sym::{SIZEOF_SYM, Sym},
};

/// Why bytes are not an ELF file for this linker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElfError {
    /// Shorter than an ELF header.
    Header {
        /// Bytes that are there.
        length: usize,
    },
    /// The file does not begin with ELF's magic number.
    Magic([u8; 4]),
    /// Not a little-endian 64-bit relocatable file for x86-64.
    Machine {
        /// `e_ident[EI_CLASS]`.
        class: u8,
        /// `e_ident[EI_DATA]`.
        encoding: u8,
        /// `e_type`.
        kind: u16,
        /// `e_machine`.
        machine: u16,
    },
    /// The section table lies outside the file, or its entries have another size.
    SectionTable {
        /// `e_shoff`.
        offset: u64,
        /// `e_shnum`.
        count: u16,
        /// `e_shentsize`.
        entry: u16,
    },
}

impl core::fmt::Display for ElfError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Header { length } => write!(f, "ELF header cut off after {length} bytes"),
            Self::Magic(found) => {
                write!(f, "begins with {found:02x?}, not with ELF's magic number")
            }
            Self::Machine {
                class,
                encoding,
                kind,
                machine,
            } => write!(
                f,
                "not a little-endian x86-64 relocatable ELF file (class {class}, encoding \
                 {encoding}, type {kind}, machine {machine})"
            ),
            Self::SectionTable {
                offset,
                count,
                entry,
            } => write!(
                f,
                "section table ({count} of {entry} bytes from {offset:#x}) is not one in this file"
            ),
        }
    }
}

impl core::error::Error for ElfError {}

/// An ELF file whose header has been checked and whose section table lies inside it.
#[derive(Clone, Copy)]
pub(crate) struct ElfFile<'a> {
    bytes: &'a [u8],
    sections: &'a [u8],
    /// Index of the section with the section names.
    pub(crate) names_index: u16,
}

impl<'a> ElfFile<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, ElfError> {
        let header = bytes.get(..SIZEOF_EHDR).ok_or(ElfError::Header {
            length: bytes.len(),
        })?;
        let ident = header.first_chunk::<6>().copied().unwrap_or_default();
        let magic = [ident[0], ident[1], ident[2], ident[3]];
        if magic != *ELFMAG {
            return Err(ElfError::Magic(magic));
        }
        let (class, encoding) = (ident[4], ident[5]);
        let (kind, machine) = (half(header, 16), half(header, 18));
        if (class, encoding, kind, machine) != (ELFCLASS64, ELFDATA2LSB, ET_REL, EM_X86_64) {
            return Err(ElfError::Machine {
                class,
                encoding,
                kind,
                machine,
            });
        }
        let (offset, entry, count) = (word64(header, 40), half(header, 58), half(header, 60));
        let sections = range(bytes, offset, u64::from(count) * SIZEOF_SHDR as u64)
            .filter(|_| usize::from(entry) == SIZEOF_SHDR)
            .ok_or(ElfError::SectionTable {
                offset,
                count,
                entry,
            })?;
        Ok(Self {
            bytes,
            sections,
            names_index: half(header, 62),
        })
    }

    pub(crate) fn section_count(&self) -> usize {
        self.sections.len() / SIZEOF_SHDR
    }

    pub(crate) fn section(&self, index: usize) -> Option<SectionHeader> {
        let start = index.checked_mul(SIZEOF_SHDR)?;
        let bytes = self.sections.get(start..start.checked_add(SIZEOF_SHDR)?)?;
        Some(SectionHeader {
            sh_name: word32(bytes, 0),
            sh_type: word32(bytes, 4),
            sh_flags: word64(bytes, 8),
            sh_addr: word64(bytes, 16),
            sh_offset: word64(bytes, 24),
            sh_size: word64(bytes, 32),
            sh_link: word32(bytes, 40),
            sh_info: word32(bytes, 44),
            sh_addralign: word64(bytes, 48),
            sh_entsize: word64(bytes, 56),
        })
    }

    /// The contents of a section; empty for one without bits in the file.
    pub(crate) fn contents(&self, header: &SectionHeader) -> Option<&'a [u8]> {
        if header.sh_type == SHT_NOBITS {
            return Some(&[]);
        }
        range(self.bytes, header.sh_offset, header.sh_size)
    }
}

/// The relocation at `index` of a table.
pub(crate) fn relocation(table: &[u8], index: usize) -> Option<Rela> {
    let start = index.checked_mul(SIZEOF_RELA)?;
    let bytes = table.get(start..start.checked_add(SIZEOF_RELA)?)?;
    Some(Rela {
        r_offset: word64(bytes, 0),
        r_info: word64(bytes, 8),
        r_addend: word64(bytes, 16).cast_signed(),
    })
}

/// The symbol at `index` of a table.
pub(crate) fn symbol(table: &[u8], index: usize) -> Option<Sym> {
    let start = index.checked_mul(SIZEOF_SYM)?;
    let bytes = table.get(start..start.checked_add(SIZEOF_SYM)?)?;
    Some(Sym {
        st_name: word32(bytes, 0),
        st_info: bytes.get(4).copied().unwrap_or_default(),
        st_other: bytes.get(5).copied().unwrap_or_default(),
        st_shndx: half(bytes, 6),
        st_value: word64(bytes, 8),
        st_size: word64(bytes, 16),
    })
}

/// The string at `offset` of a string table, without its terminating zero.
pub(crate) fn string(table: &[u8], offset: u32) -> Option<&str> {
    let rest = table.get(usize::try_from(offset).ok()?..)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    core::str::from_utf8(rest.get(..end)?).ok()
}

fn range(bytes: &[u8], offset: u64, length: u64) -> Option<&[u8]> {
    let start = usize::try_from(offset).ok()?;
    bytes.get(start..start.checked_add(usize::try_from(length).ok()?)?)
}

/// The little-endian word at `at`; the callers have checked that it is inside.
fn half(bytes: &[u8], at: usize) -> u16 {
    chunk(bytes, at).map_or(0, u16::from_le_bytes)
}

fn word32(bytes: &[u8], at: usize) -> u32 {
    chunk(bytes, at).map_or(0, u32::from_le_bytes)
}

fn word64(bytes: &[u8], at: usize) -> u64 {
    chunk(bytes, at).map_or(0, u64::from_le_bytes)
}

fn chunk<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}
