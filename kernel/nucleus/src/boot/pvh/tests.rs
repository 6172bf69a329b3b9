//! A start information as QEMU writes it, whole and spoilt.

use super::*;
use handover::MemoryKind;

/// Where the buffer pretends to lie.
const BASE: u64 = 0x1000;
const COMMAND_LINE: usize = 56;
const MODULES: usize = 72;
const MEMORY: usize = 104;
const MODULE_DATA: usize = 152;
const END: usize = 160;

struct Buffer(Vec<u8>);

impl PhysicalMemory for Buffer {
    fn bytes(&self, start: u64, length: u64) -> Option<&[u8]> {
        let start = usize::try_from(start.checked_sub(BASE)?).ok()?;
        self.0
            .get(start..start.checked_add(usize::try_from(length).ok()?)?)
    }
}

fn put(bytes: &mut [u8], offset: usize, value: &[u8]) {
    bytes[offset..offset + value.len()].copy_from_slice(value);
}

fn sample() -> Buffer {
    let mut bytes = vec![0; END];
    let at = |offset: usize| (BASE + offset as u64).to_le_bytes();
    put(&mut bytes, 0, &MAGIC.to_le_bytes());
    put(&mut bytes, 4, &1_u32.to_le_bytes());
    put(&mut bytes, 12, &1_u32.to_le_bytes());
    put(&mut bytes, 16, &at(MODULES));
    put(&mut bytes, 24, &at(COMMAND_LINE));
    put(&mut bytes, 32, &0xF_5A00_u64.to_le_bytes());
    put(&mut bytes, 40, &at(MEMORY));
    put(&mut bytes, 48, &2_u32.to_le_bytes());
    put(&mut bytes, COMMAND_LINE, b"quiet one\0");
    put(&mut bytes, MODULES, &at(MODULE_DATA));
    put(&mut bytes, MODULES + 8, &8_u64.to_le_bytes());
    put(&mut bytes, MEMORY + 8, &0x9_F000_u64.to_le_bytes());
    put(&mut bytes, MEMORY + 16, &1_u32.to_le_bytes());
    put(&mut bytes, MEMORY + 24, &0x10_0000_u64.to_le_bytes());
    put(&mut bytes, MEMORY + 32, &0x1000_u64.to_le_bytes());
    put(&mut bytes, MEMORY + 40, &77_u32.to_le_bytes());
    Buffer(bytes)
}

#[test]
fn reads_everything() {
    let information = parse(&sample(), BASE).expect("whole");
    assert_eq!(information.command_line, "quiet one");
    assert!(matches!(information.acpi, AcpiRoot::At(0xF_5A00)));
    let start = BASE + MODULE_DATA as u64;
    assert_eq!(
        information.archive,
        PhysicalRange {
            start,
            end: start + 8
        }
    );
    let kinds: Vec<_> = information
        .memory
        .iter()
        .map(|region| region.kind)
        .collect();
    assert_eq!(kinds, [MemoryKind::Usable, MemoryKind::Reserved]);
    assert_eq!(information.memory[1].start, 0x10_0000);
}

#[test]
fn every_prefix_is_refused_by_name() {
    let whole = sample();
    for length in 0..END {
        let cut = Buffer(whole.0[..length].to_vec());
        let error = parse(&cut, BASE).expect_err("cut off");
        assert!(
            matches!(error, PvhError::Outside { .. }),
            "{length}: {error}"
        );
    }
}

#[test]
fn wrong_words_are_refused() {
    let spoil = |offset: usize, value: u32| {
        let mut buffer = sample();
        put(&mut buffer.0, offset, &value.to_le_bytes());
        parse(&buffer, BASE).expect_err("spoilt")
    };
    assert_eq!(spoil(0, 7), PvhError::Magic(7));
    assert_eq!(spoil(4, 0), PvhError::Version(0));
    assert_eq!(spoil(12, 0), PvhError::NoModule);
    assert_eq!(spoil(48, u32::MAX), PvhError::MemoryMap(u32::MAX));
    assert!(matches!(
        spoil(44, u32::MAX),
        PvhError::Outside {
            what: "memory map",
            ..
        }
    ));
}

#[test]
fn no_byte_makes_it_panic() {
    for index in 0..END {
        for value in [0, 1, 0x7F, 0x80, 0xFF] {
            let mut buffer = sample();
            buffer.0[index] = value;
            let _ = parse(&buffer, BASE);
        }
    }
}
