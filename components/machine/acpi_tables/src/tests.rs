//! The parsers against tables made here, whole and damaged.

use super::*;
use error::Name;

struct Memory(Vec<(u64, Vec<u8>)>);

impl PhysicalMemory for Memory {
    fn read(&self, address: u64, bytes: &mut [u8]) -> bool {
        self.0.iter().any(|(start, content)| {
            let Some(offset) = address.checked_sub(*start) else {
                return false;
            };
            let offset = usize::try_from(offset).unwrap();
            let range = offset..offset + bytes.len();
            content
                .get(range)
                .map(|found| bytes.copy_from_slice(found))
                .is_some()
        })
    }
}

fn seal(bytes: &mut [u8], at: usize) {
    bytes[at] = 0;
    let sum = bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    bytes[at] = sum.wrapping_neg();
}

fn sdt(signature: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; table::HEADER];
    bytes[..4].copy_from_slice(signature);
    bytes.extend_from_slice(body);
    let length = u32::try_from(bytes.len()).unwrap();
    bytes[4..8].copy_from_slice(&length.to_le_bytes());
    seal(&mut bytes, 9);
    bytes
}

fn root() -> Vec<u8> {
    let mut bytes = vec![0; 36];
    bytes[..8].copy_from_slice(b"RSD PTR ");
    bytes[16..20].copy_from_slice(&0x1000u32.to_le_bytes());
    seal(&mut bytes[..20], 8);
    bytes
}

fn madt() -> Vec<u8> {
    let mut body = Vec::new();
    body.extend_from_slice(&0xFEE0_1000u32.to_le_bytes());
    body.extend_from_slice(&1u32.to_le_bytes());
    body.extend_from_slice(&[0, 8, 0, 0, 1, 0, 0, 0]);
    body.extend_from_slice(&[0, 8, 1, 1, 1, 0, 0, 0]);
    body.extend_from_slice(&[0, 8, 2, 2, 0, 0, 0, 0]);
    body.extend_from_slice(&[1, 12, 0, 0, 0, 0, 0xC0, 0xFE, 0, 0, 0, 0]);
    body.extend_from_slice(&[2, 10, 0, 9, 20, 0, 0, 0, 0x0F, 0]);
    body.extend_from_slice(&[2, 10, 0, 0, 2, 0, 0, 0, 0, 0]);
    body.extend_from_slice(&[0x7F, 3, 0]);
    sdt(b"APIC", &body)
}

fn fadt() -> Vec<u8> {
    let mut body = vec![0; 208];
    let mut put = |offset: usize, bytes: &[u8]| {
        body[offset - 36..offset - 36 + bytes.len()].copy_from_slice(bytes);
    };
    put(40, &0x4000u32.to_le_bytes());
    put(48, &0xB2u32.to_le_bytes());
    put(52, &[2]);
    put(64, &0x604u32.to_le_bytes());
    put(76, &0x608u32.to_le_bytes());
    put(112, &(1u32 << 10).to_le_bytes());
    put(116, &[1, 8, 0, 1, 0xF9, 0x0C, 0, 0, 0, 0, 0, 0]);
    put(128, &[0x0F]);
    sdt(b"FACP", &body)
}

fn dsdt() -> Vec<u8> {
    sdt(
        b"DSDT",
        b"junk_S5_\x12\x08_S5_\x12\x06\x04\x0A\x05\x01\x00\x00tail",
    )
}

fn machine() -> Memory {
    let mut list = Vec::new();
    list.extend_from_slice(&0x2000u32.to_le_bytes());
    list.extend_from_slice(&0x3000u32.to_le_bytes());
    Memory(vec![
        (0xF_0000, root()),
        (0x1000, sdt(b"RSDT", &list)),
        (0x2000, fadt()),
        (0x3000, madt()),
        (0x4000, dsdt()),
    ])
}

#[test]
fn reads_all_tables() {
    let (platform, problems) = read(&machine(), 0xF_0000, 1);
    assert_eq!(problems, []);
    let model = &platform.interrupts;
    assert_eq!(model.local_apic, 0xFEE0_1000);
    assert_eq!(
        model.io_apics,
        [IoApic {
            address: 0xFEC0_0000,
            first_interrupt: 0
        }]
    );
    assert_eq!(
        model.processors,
        [Processor { apic_id: 0 }, Processor { apic_id: 1 }]
    );
    let acpi_line = Override {
        irq: 9,
        interrupt: 20,
        polarity: Polarity::ActiveLow,
        trigger: Trigger::Level,
    };
    assert_eq!(model.overrides[0], acpi_line);
    assert_eq!(model.overrides[1].trigger, Trigger::Edge);
    let registers = platform.registers.unwrap();
    assert_eq!(registers.pm1a_control, Some(0x604));
    assert_eq!(registers.pm1b_control, None);
    assert_eq!(registers.pm_timer, Some(0x608));
    assert_eq!(registers.enable, Some((0xB2, 2)));
    assert_eq!(
        registers.reset,
        Some(ResetRegister {
            port: 0xCF9,
            value: 0x0F
        })
    );
    assert_eq!(platform.sleep_off, Some([5, 1]));
}

#[test]
fn a_machine_without_tables_gets_the_defaults() {
    let (platform, problems) = read(&Memory(vec![]), 0, 1);
    assert_eq!(problems, [TableError::NoRoot]);
    assert_eq!(platform.interrupts, InterruptModel::default());
    assert_eq!(platform.registers, None);
}

#[test]
fn the_root_pointer_is_found_in_the_bios_area() {
    let mut area = vec![0; 0x2_0000];
    area[0x1_0000..0x1_0024].copy_from_slice(&root());
    let mut memory = machine();
    memory.0[0] = (0xE_0000, area);
    let (_, problems) = read(&memory, 0, 1);
    assert_eq!(problems, []);
}

#[test]
fn every_damaged_byte_is_noticed() {
    for table in 0..5 {
        for offset in 0..machine().0[table].1.len() {
            let mut memory = machine();
            memory.0[table].1[offset] ^= 0x40;
            let unprotected = table == 0 && offset >= 20;
            let (_, problems) = read(&memory, 0xF_0000, 1);
            assert_eq!(
                problems.is_empty(),
                unprotected,
                "table {table}, offset {offset}"
            );
        }
    }
}

#[test]
fn every_truncation_ends_in_an_error_or_a_shorter_table() {
    let whole = madt();
    for length in table::HEADER..whole.len() {
        let short = sdt(b"APIC", &whole[table::HEADER..length]);
        let mut memory = machine();
        memory.0[3].1 = short;
        let (platform, problems) = read(&memory, 0xF_0000, 1);
        assert!(problems.len() <= 1);
        assert!(platform.interrupts.processors.len() <= 2);
    }
}

#[test]
fn an_entry_of_length_zero_does_not_hang() {
    let mut memory = machine();
    memory.0[3].1 = sdt(b"APIC", &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let (_, problems) = read(&memory, 0xF_0000, 1);
    assert_eq!(
        problems,
        [TableError::Truncated {
            signature: Name(*b"APIC"),
            offset: 44
        }]
    );
}

#[test]
fn the_command_line_chooses_among_several_tables_of_interrupt_controllers() {
    for (line, number) in [
        ("", 1),
        ("quiet acpi_apic_instance=2", 2),
        ("acpi_apic_instance=3 quiet", 3),
        ("acpi_apic_instance=two", 1),
    ] {
        assert_eq!(apic_instance(line), number, "{line}");
    }
    let (platform, problems) = read(&machine(), 0xF_0000, 2);
    assert!(matches!(problems.as_slice(), [TableError::Missing { .. }]));
    assert!(platform.interrupts.processors.is_empty());
}
