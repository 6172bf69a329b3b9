//! The numbers of the ELF format that the builder reads and writes, under their names in the gABI
//! and the AMD64 supplement, and as plain numbers, because records of them are hashed and written.

pub(crate) const SHT_NULL: u32 = 0;
pub(crate) const SHT_PROGBITS: u32 = 1;
pub(crate) const SHT_SYMTAB: u32 = 2;
pub(crate) const SHT_STRTAB: u32 = 3;
pub(crate) const SHT_RELA: u32 = 4;
pub(crate) const SHT_NOBITS: u32 = 8;

pub(crate) const SHF_WRITE: u64 = 1;
pub(crate) const SHF_ALLOC: u64 = 2;
pub(crate) const SHF_EXECINSTR: u64 = 4;
pub(crate) const SHF_INFO_LINK: u64 = 0x40;

pub(crate) const SHN_UNDEF: u16 = 0;
pub(crate) const SHN_ABS: u16 = 0xfff1;
pub(crate) const SHN_XINDEX: u16 = 0xffff;

pub(crate) const STB_LOCAL: u8 = 0;
pub(crate) const STB_WEAK: u8 = 2;

pub(crate) const STT_SECTION: u8 = 3;
pub(crate) const STT_FILE: u8 = 4;

pub(crate) const R_X86_64_64: u32 = 1;
pub(crate) const R_X86_64_PC32: u32 = 2;

/// For tests, which write objects by hand.
#[cfg(test)]
pub(crate) mod sample {
    pub(crate) const R_X86_64_PLT32: u32 = 4;
    pub(crate) const STB_GLOBAL: u8 = 1;
    pub(crate) const STT_NOTYPE: u8 = 0;
    pub(crate) const STT_OBJECT: u8 = 1;
    pub(crate) const STT_FUNC: u8 = 2;
}
