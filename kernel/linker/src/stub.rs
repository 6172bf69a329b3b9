//! Entry stubs: the one address of a function, whatever version of it runs.
//!
//! A stub is `jmp *slot(%rip)`, two bytes that are never executed, and the slot, which holds the
//! address of the function's code. The slot is 8-byte aligned, so that replacing it is one store
//! that no other CPU can see half done.

use handover::layout::{SLOT_OFFSET, STUB_SIZE, STUBS};

/// Size of a stub in bytes.
pub const SIZE: usize = 16;
const _: () = assert!(SIZE as u64 == STUB_SIZE);

/// `jmp *2(%rip)`: the slot follows two bytes after the instruction (Intel SDM vol. 2, JMP, FF /4).
const JUMP: [u8; 6] = [0xFF, 0x25, 0x02, 0x00, 0x00, 0x00];

/// `ud2`, so that a jump into the padding stops at once.
const PADDING: [u8; 2] = [0x0F, 0x0B];

/// The position of a stub in the stub area.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StubIndex(pub u32);

impl StubIndex {
    /// The stub's address in an area that begins at `base`.
    #[must_use]
    pub const fn address_from(self, base: u64) -> u64 {
        base + self.0 as u64 * STUB_SIZE
    }

    /// The stub's address.
    #[must_use]
    pub const fn address(self) -> u64 {
        self.address_from(STUBS)
    }

    /// The address of the stub's slot.
    #[must_use]
    pub const fn slot(self) -> u64 {
        self.address() + SLOT_OFFSET
    }

    /// The stub that `address` lies in, if the stub area can have one there.
    #[must_use]
    pub const fn containing(address: u64) -> Option<Self> {
        if address < STUBS || address >= handover::layout::STUBS_END {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "the area has 2^21 stubs")]
        let index = ((address - STUBS) / STUB_SIZE) as u32;
        Some(Self(index))
    }
}

/// The bytes of a stub that leads to `target`.
#[must_use]
pub fn encode(target: u64) -> [u8; SIZE] {
    let mut stub = [0; SIZE];
    let (code, slot) = stub.split_at_mut(8);
    code[..6].copy_from_slice(&JUMP);
    code[6..].copy_from_slice(&PADDING);
    slot.copy_from_slice(&target.to_le_bytes());
    stub
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jump_reads_the_slot() {
        let stub = encode(0x1122_3344_5566_7788);
        let displacement = u32::from_le_bytes([stub[2], stub[3], stub[4], stub[5]]) as u64;
        assert_eq!(6 + displacement, SLOT_OFFSET);
        assert_eq!(stub[8..], 0x1122_3344_5566_7788_u64.to_le_bytes());
    }

    #[test]
    fn an_address_finds_its_stub() {
        let stub = StubIndex(7);
        assert_eq!(StubIndex::containing(stub.address() + 15), Some(stub));
        assert_eq!(StubIndex::containing(STUBS - 1), None);
    }
}
