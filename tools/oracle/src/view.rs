//! A finished link: where each section lies, and the bytes in memory.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

/// Which section of which object; both by number.
pub(crate) type SectionId = (usize, usize);

/// An offset in a section of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The object, by its place among the inputs.
    pub object: usize,
    /// The section, by its ELF index.
    pub section: usize,
    /// The offset in it.
    pub offset: u64,
}

/// Where a relocation leads.
pub(crate) struct Lead {
    pub(crate) address: u64,
    pub(crate) through_got: bool,
    pub(crate) through_stub: bool,
}

/// A finished link.
#[derive(Clone, Debug, Default)]
pub struct View {
    starts: HashMap<SectionId, u64>,
    /// By start: the sections there, each with its size.
    sections: BTreeMap<u64, Vec<(SectionId, u64)>>,
    /// Bytes, by the address of the first.
    memory: BTreeMap<u64, Vec<u8>>,
    /// Where GOT words lie.
    pub(crate) got: Vec<Range<u64>>,
    /// Where stubs lie.
    pub(crate) stubs: Option<Range<u64>>,
    largest: u64,
}

/// Bytes of an entry stub, and of its slot at its end.
const STUB: u64 = 16;
const SLOT: u64 = 8;

impl View {
    pub(crate) fn add_section(&mut self, id: SectionId, start: u64, size: u64) {
        self.starts.insert(id, start);
        self.sections.entry(start).or_default().push((id, size));
        self.largest = self.largest.max(size);
    }

    pub(crate) fn add_memory(&mut self, start: u64, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.memory.insert(start, bytes);
        }
    }

    /// Where a section lies.
    #[must_use]
    pub fn start(&self, section: SectionId) -> Option<u64> {
        self.starts.get(&section).copied()
    }

    /// The bytes from `address` on, to be changed by a test that plants an error.
    pub fn bytes_mut(&mut self, address: u64, length: usize) -> Option<&mut [u8]> {
        let (start, bytes) = self.memory.range_mut(..=address).next_back()?;
        let offset = usize::try_from(address - start).ok()?;
        bytes.get_mut(offset..offset.checked_add(length)?)
    }

    fn bytes<const N: usize>(&self, address: u64) -> Option<[u8; N]> {
        let (start, bytes) = self.memory.range(..=address).next_back()?;
        let offset = usize::try_from(address - start).ok()?;
        bytes.get(offset..)?.first_chunk().copied()
    }

    fn word(&self, address: u64) -> Option<u64> {
        self.bytes(address).map(u64::from_le_bytes)
    }

    fn half(&self, address: u64) -> Option<u64> {
        let half = self.bytes(address).map(i32::from_le_bytes)?;
        Some(i64::from(half).cast_unsigned())
    }

    /// Where the relocation of type `kind` leads, behind at most one GOT word and one stub.
    pub(crate) fn lead(
        &self,
        section: SectionId,
        offset: u64,
        kind: u32,
        addend: i64,
    ) -> Option<Lead> {
        use object::elf as abi;
        let place = self.start(section)?.checked_add(offset)?;
        let relative = || Some(self.half(place)?.wrapping_add(place));
        let value = match object::elf::RelocationType(kind) {
            abi::R_X86_64_64 => self.word(place)?,
            abi::R_X86_64_32 => self.half(place)? & 0xFFFF_FFFF,
            abi::R_X86_64_32S => self.half(place)?,
            abi::R_X86_64_PC32
            | abi::R_X86_64_PLT32
            | abi::R_X86_64_GOTPCREL
            | abi::R_X86_64_GOTPCRELX
            | abi::R_X86_64_REX_GOTPCRELX => relative()?,
            _ => return None,
        };
        let mut address = value.wrapping_sub(addend.cast_unsigned());
        let through_got = self.got.iter().any(|got| got.contains(&address));
        if through_got {
            address = self.word(address)?;
        }
        let through_stub = self
            .stubs
            .as_ref()
            .is_some_and(|stubs| stubs.contains(&address));
        if through_stub {
            // An address inside a stub is the address of nothing.
            address = address.is_multiple_of(STUB).then_some(address)?;
            address = self.word(address + STUB - SLOT)?;
        }
        Some(Lead {
            address,
            through_got,
            through_stub,
        })
    }

    /// What lies at `address`: its end counts as part of a section.
    pub(crate) fn places(&self, address: u64) -> Vec<Place> {
        let from = address.saturating_sub(self.largest);
        self.sections
            .range(from..=address)
            .flat_map(|(start, sections)| sections.iter().map(move |section| (start, section)))
            .filter(|(start, (_, size))| address - *start <= *size)
            .map(|(start, ((object, section), _))| Place {
                object: *object,
                section: *section,
                offset: address - start,
            })
            .collect()
    }
}
