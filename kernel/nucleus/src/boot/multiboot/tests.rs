//! A boot information as GRUB writes it, whole and spoilt.

use super::*;
use handover::MemoryKind;

/// The bytes of a boot information, aligned as it must be.
#[derive(Clone)]
struct Information(Vec<u64>);

impl Information {
    /// Joins tags (type and payload) behind the header, and ends the list.
    fn new(tags: &[(u32, Vec<u8>)]) -> Self {
        let mut bytes = vec![0; 8];
        let end = (0, Vec::new());
        for (kind, payload) in tags.iter().chain([&end]) {
            let size = u32::try_from(payload.len() + 8).expect("small");
            bytes.extend_from_slice(&kind.to_le_bytes());
            bytes.extend_from_slice(&size.to_le_bytes());
            bytes.extend_from_slice(payload);
            bytes.resize(bytes.len().next_multiple_of(8), 0);
        }
        let total = u32::try_from(bytes.len()).expect("small");
        bytes[..4].copy_from_slice(&total.to_le_bytes());
        let (words, _) = bytes.as_chunks::<8>();
        Self(words.iter().map(|word| u64::from_le_bytes(*word)).collect())
    }

    fn parse(&self) -> Result<BootInformation, MultibootError> {
        // SAFETY: the list is aligned and as long as its header says.
        unsafe { parse(self.0.as_ptr() as u64) }
    }
}

fn command_line() -> (u32, Vec<u8>) {
    (1, b"loud\0".to_vec())
}

fn module() -> (u32, Vec<u8>) {
    let mut payload = Vec::new();
    payload.extend_from_slice(&0x10_0000_u32.to_le_bytes());
    payload.extend_from_slice(&0x18_0000_u32.to_le_bytes());
    payload.push(0);
    (3, payload)
}

fn memory() -> (u32, Vec<u8>) {
    let mut payload = Vec::new();
    payload.extend_from_slice(&24_u32.to_le_bytes());
    payload.extend_from_slice(&0_u32.to_le_bytes());
    for (start, length, kind) in [(0_u64, 0x9_FC00_u64, 1_u32), (0xF_0000, 0x1_0000, 20)] {
        payload.extend_from_slice(&start.to_le_bytes());
        payload.extend_from_slice(&length.to_le_bytes());
        payload.extend_from_slice(&kind.to_le_bytes());
        payload.extend_from_slice(&0_u32.to_le_bytes());
    }
    (6, payload)
}

#[test]
fn reads_everything() {
    let old = (14, vec![1; 20]);
    let new = (15, vec![2; 36]);
    let tags = [command_line(), memory(), old, new, module()];
    let information = Information::new(&tags).parse().expect("whole");
    assert_eq!(information.protocol, BootProtocol::Multiboot2Bios);
    assert_eq!(information.command_line, "loud");
    assert_eq!(
        information.archive,
        PhysicalRange {
            start: 0x10_0000,
            end: 0x18_0000
        }
    );
    assert!(matches!(information.acpi, AcpiRoot::Copy(bytes) if bytes == [2; 36]));
    let kinds: Vec<_> = information
        .memory
        .iter()
        .map(|region| region.kind)
        .collect();
    assert_eq!(kinds, [MemoryKind::Usable, MemoryKind::Reserved]);
}

#[test]
fn the_efi_system_table_tells_the_firmware() {
    let tags = [memory(), module(), (12, vec![0; 8])];
    let information = Information::new(&tags).parse().expect("whole");
    assert_eq!(information.protocol, BootProtocol::Multiboot2Uefi);
    assert_eq!(information.command_line, "");
    assert!(matches!(information.acpi, AcpiRoot::None));
}

#[test]
fn what_is_missing_is_named() {
    let parse = |tags: &[_]| Information::new(tags).parse().expect_err("incomplete");
    assert_eq!(parse(&[module()]), MultibootError::NoMemoryMap);
    assert_eq!(parse(&[memory()]), MultibootError::NoModule);
}

#[test]
fn a_list_that_is_cut_off_is_refused() {
    let whole = Information::new(&[command_line(), memory(), module()]);
    for words in 1..whole.0.len() {
        let mut cut = Information(whole.0[..words].to_vec());
        cut.0[0] = words as u64 * 8;
        let error = cut.parse().expect_err("cut off");
        assert!(matches!(error, MultibootError::Load(_)), "{words}: {error}");
    }
}
