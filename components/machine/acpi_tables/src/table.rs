//! Root pointer and tables as checked bytes (ACPI 6.5, sections 5.2.5 to 5.2.8).

use alloc::{vec, vec::Vec};

use crate::{PhysicalMemory, TableError, error::Name};

/// Length of the header that every table begins with.
pub(crate) const HEADER: usize = 36;
/// No table of a PC is longer; what claims to be is damaged.
const LONGEST: u32 = 4 << 20;

const ROOT_SIGNATURE: &[u8; 8] = b"RSD PTR ";
/// Length of the root pointer of ACPI 1.0, and from 2.0 on.
const ROOT_LENGTHS: [usize; 2] = [20, 36];
/// Where a BIOS keeps the root pointer, at a multiple of 16.
const BIOS_AREA: core::ops::Range<u64> = 0xE_0000..0x10_0000;

/// The list of tables.
pub(crate) struct Root {
    tables: Vec<u64>,
}

impl Root {
    /// Reads the list that the root pointer at `address` leads to; 0 means to look for one.
    pub(crate) fn find(memory: &impl PhysicalMemory, address: u64) -> Result<Self, TableError> {
        let address = if address == 0 {
            search(memory)?
        } else {
            address
        };
        let mut pointer = [0; 36];
        if !memory.read(address, &mut pointer) {
            return Err(TableError::Unreadable { address });
        }
        let bad = TableError::BadRoot { address };
        let modern = pointer[15] >= 2;
        let length = ROOT_LENGTHS[usize::from(modern)];
        if !pointer.starts_with(ROOT_SIGNATURE) || !adds_up(&pointer[..length]) {
            return Err(bad);
        }
        let long = u64_at(&pointer, 24).filter(|list| modern && *list != 0);
        let (list, width) = match long {
            Some(list) => (list, 8),
            None => (u64::from(u32_at(&pointer, 16).ok_or(bad)?), 4),
        };
        let list = Table::read(memory, list)?;
        let tables = list.body().chunks_exact(width).map(little_endian).collect();
        Ok(Self { tables })
    }

    /// The first table of that name.
    pub(crate) fn table(
        &self,
        memory: &impl PhysicalMemory,
        signature: [u8; 4],
    ) -> Result<Table, TableError> {
        self.instance(memory, signature, 1)
    }

    /// The table of that name with this number, from 1 on, among those of its name.
    pub(crate) fn instance(
        &self,
        memory: &impl PhysicalMemory,
        signature: [u8; 4],
        number: usize,
    ) -> Result<Table, TableError> {
        let named = |address: &&u64| {
            let mut name = [0; 4];
            memory.read(**address, &mut name) && name == signature
        };
        let mut named = self.tables.iter().filter(named);
        let address = named.nth(number.saturating_sub(1));
        let address = address.ok_or(TableError::Missing {
            signature: Name(signature),
        })?;
        Table::read(memory, *address)
    }
}

fn search(memory: &impl PhysicalMemory) -> Result<u64, TableError> {
    let mut bytes = vec![0; usize::try_from(BIOS_AREA.end - BIOS_AREA.start).unwrap_or(0)];
    if !memory.read(BIOS_AREA.start, &mut bytes) {
        return Err(TableError::NoRoot);
    }
    let found = bytes
        .chunks(16)
        .position(|chunk| chunk.starts_with(ROOT_SIGNATURE));
    found
        .map(|index| BIOS_AREA.start + index as u64 * 16)
        .ok_or(TableError::NoRoot)
}

/// A table whose length and checksum are right.
pub(crate) struct Table {
    bytes: Vec<u8>,
}

impl Table {
    /// Reads the table at a physical address.
    pub(crate) fn read(memory: &impl PhysicalMemory, address: u64) -> Result<Self, TableError> {
        let unreadable = TableError::Unreadable { address };
        let mut header = [0; HEADER];
        if !memory.read(address, &mut header) {
            return Err(unreadable);
        }
        let signature = Name([header[0], header[1], header[2], header[3]]);
        let length = u32_at(&header, 4).ok_or(unreadable)?;
        let size = usize::try_from(length).ok().filter(|size| *size >= HEADER);
        let Some(size) = size.filter(|_| length <= LONGEST) else {
            return Err(TableError::BadLength { signature, length });
        };
        let mut bytes = vec![0; size];
        if !memory.read(address, &mut bytes) {
            return Err(unreadable);
        }
        if !adds_up(&bytes) {
            return Err(TableError::BadChecksum { signature });
        }
        Ok(Self { bytes })
    }

    pub(crate) fn signature(&self) -> Name {
        Name(self.bytes.first_chunk().copied().unwrap_or_default())
    }

    /// All bytes, the header first.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What follows the header.
    pub(crate) fn body(&self) -> &[u8] {
        self.bytes.get(HEADER..).unwrap_or(&[])
    }
}

fn adds_up(bytes: &[u8]) -> bool {
    bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)) == 0
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |value, byte| value << 8 | u64::from(*byte))
}

pub(crate) fn u8_at(bytes: &[u8], offset: usize) -> Option<u8> {
    bytes.get(offset).copied()
}

pub(crate) fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes
        .get(offset..)?
        .first_chunk()
        .map(|bytes| u16::from_le_bytes(*bytes))
}

pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes
        .get(offset..)?
        .first_chunk()
        .map(|bytes| u32::from_le_bytes(*bytes))
}

pub(crate) fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    bytes
        .get(offset..)?
        .first_chunk()
        .map(|bytes| u64::from_le_bytes(*bytes))
}
