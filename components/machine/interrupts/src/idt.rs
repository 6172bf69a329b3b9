//! The interrupt descriptor table, shared by all CPUs.

use core::sync::atomic::{AtomicU64, Ordering};

use cpu::InterruptStack;
use x86_64::{VirtAddr, instructions::tables::lidt, structures::DescriptorTablePointer};

use crate::entry::{ENTRIES, Entry};

/// Present, privilege level 0, 64-bit interrupt gate (Intel SDM volume 3, section 6.14.1).
const INTERRUPT_GATE: u64 = 0x8E;

/// Offset of the table's last byte: 256 gates of 16 bytes.
const LIMIT: u16 = 256 * 16 - 1;

/// Two words a gate; atomic, so that gates may be rewritten while CPUs use the table.
#[repr(C, align(16))]
struct Table([[AtomicU64; 2]; 256]);

#[used]
static TABLE: Table = Table([const { [AtomicU64::new(0), AtomicU64::new(0)] }; 256]);

/// Points every gate to its entry.
pub(crate) fn fill() {
    let selector = cpu::kernel_code_selector();
    for ((gate, entry), vector) in TABLE.0.iter().zip(&ENTRIES).zip(0u8..=255) {
        let [low, high] = gate_words(*entry, selector, stack_of(vector));
        // The half that makes the gate present comes last.
        gate[1].store(high, Ordering::Relaxed);
        gate[0].store(low, Ordering::Release);
    }
}

/// Makes the table that of the CPU that runs this.
pub fn load() {
    let pointer = DescriptorTablePointer {
        limit: LIMIT,
        base: VirtAddr::from_ptr(&raw const TABLE),
    };
    // SAFETY: the table lives as long as the system, and its gates point to entry code on
    // interrupt stacks that `cpu` has set up.
    unsafe { lidt(&pointer) };
}

fn gate_words(entry: Entry, selector: u16, stack: InterruptStack) -> [u64; 2] {
    let address = entry as usize as u64;
    // The hardware counts interrupt stacks from 1.
    let stack = stack as u64 + 1;
    let low = (address & 0xFFFF)
        | u64::from(selector) << 16
        | stack << 32
        | INTERRUPT_GATE << 40
        | (address >> 16 & 0xFFFF) << 48;
    [low, address >> 32]
}

fn stack_of(vector: u8) -> InterruptStack {
    match vector {
        2 => InterruptStack::NonMaskable,
        8 => InterruptStack::DoubleFault,
        14 => InterruptStack::PageFault,
        18 => InterruptStack::MachineCheck,
        0..32 => InterruptStack::Exception,
        _ => InterruptStack::Device,
    }
}
