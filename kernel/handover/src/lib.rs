//! The contract between the nucleus and the components.
//!
//! The nucleus exports no symbol and goes away after boot, so all it has to say is said in one flat
//! record, [`Handover`], made of `#[repr(C)]` values without pointers into the nucleus. The record
//! and everything it refers to lie in frames of their own, mapped read-only in the component window
//! and named in [`Handover::used`] like every other resource that the nucleus set up.
//!
//! Principles: no type here owns anything; every address says in its type or name whether it is
//! physical or virtual; a table is a [`Table`], whose `unsafe` constructor is the one place where
//! the nucleus promises that it is valid. Neighbours: `nucleus` writes it, `init` passes it to the
//! `start` hook of every component. Left out: parsing of firmware data, which the nucleus has done.
#![no_std]

mod table;

pub mod layout;

pub use table::{Table, Text};

/// First word of a [`Handover`]: `"STRAKEHO"` in ASCII.
pub const MAGIC: u64 = u64::from_le_bytes(*b"STRAKEHO");

/// Everything that the nucleus knows and the components need.
#[repr(C)]
pub struct Handover {
    /// [`MAGIC`].
    pub magic: u64,
    /// How the machine was booted.
    pub boot: Boot,
    /// The firmware's memory map, ascending, without overlaps, page aligned.
    pub memory: Table<MemoryRegion>,
    /// Every physical range that the nucleus took, ascending, without overlaps.
    pub used: Table<UsedRange>,
    /// Physical address of the top page table; entry [`layout::RECURSIVE_INDEX`] points to itself.
    pub page_table_root: u64,
    /// The archive, mapped read-only at [`layout::ARCHIVE`].
    pub archive: Table<u8>,
    /// Loaded components in the order in which they were linked (dependencies first where acyclic).
    pub components: Table<LoadedComponent>,
    /// Entry stubs, in the order of their addresses from [`layout::STUBS`] on.
    pub stubs: Table<Stub>,
    /// Storage of mutable statics.
    pub statics: Table<StaticStorage>,
    /// Components to start, in order: indices into `components`.
    pub start_order: Table<StartEntry>,
    /// First free address of the object area, page aligned (see [`layout::OBJECTS`]).
    pub objects_end: u64,
    /// The stack on which `init` runs: lowest usable address and end.
    pub boot_stack: VirtualRange,
    /// What boot cost.
    pub counters: Counters,
}

/// How the machine was booted.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Boot {
    /// The protocol that started the nucleus.
    pub protocol: BootProtocol,
    /// The kernel command line (UTF-8).
    pub command_line: Text,
    /// Physical address of ACPI's root pointer, or 0 when the firmware gave none.
    pub acpi_root_pointer: u64,
}

/// The protocol that started the nucleus.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootProtocol {
    /// Multiboot2 on a BIOS machine.
    Multiboot2Bios = 1,
    /// Multiboot2 on a UEFI machine.
    Multiboot2Uefi = 2,
    /// Xen's PVH entry, as QEMU's `-kernel` uses it.
    Pvh = 3,
}

/// A range of physical memory and what the firmware says it is.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryRegion {
    /// The range, page aligned.
    pub range: PhysicalRange,
    /// Its kind.
    pub kind: MemoryKind,
}

/// What the firmware says a range of memory is.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryKind {
    /// Ordinary memory, free unless named in [`Handover::used`].
    Usable = 1,
    /// Not to be touched.
    Reserved = 2,
    /// ACPI tables; ordinary memory once they have been read.
    AcpiReclaimable = 3,
    /// ACPI non-volatile storage; not to be touched.
    AcpiNonVolatile = 4,
}

/// A physical range that the nucleus took out of usable memory.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsedRange {
    /// The range, page aligned.
    pub range: PhysicalRange,
    /// What it holds.
    pub purpose: Purpose,
}

/// What a range that the nucleus took holds.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The nucleus: its code, data, heap, stack and boot page tables. Given back after boot.
    Nucleus = 1,
    /// Page tables that stay in use.
    PageTables = 2,
    /// The archive.
    Archive = 3,
    /// Text, rodata, statics and stubs of components, each page owned by the mapping it backs.
    Components = 4,
    /// This record and its tables. Given back when no component reads them any more.
    Handover = 5,
    /// The stack on which `init` runs.
    BootStack = 6,
}

/// A loaded component.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct LoadedComponent {
    /// Index of its member in the archive.
    pub member: u32,
    /// Padding, 0.
    pub reserved: u32,
    /// Executable pages.
    pub text: VirtualRange,
    /// Read-only pages: constants, vtables, unwind tables, metadata that the linker placed there.
    pub rodata: VirtualRange,
    /// Writable pages with the storage of its statics.
    pub data: VirtualRange,
}

/// An entry stub: `jmp *slot(%rip)` and the slot (see [`layout::STUB_SIZE`]).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Stub {
    /// The function's key.
    pub key: u64,
    /// The digest of its shape.
    pub digest: u64,
    /// Index in [`Handover::components`] of the component that defines the function.
    pub component: u32,
    /// Padding, 0.
    pub reserved: u32,
}

/// The storage of one mutable static.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct StaticStorage {
    /// The static's key.
    pub key: u64,
    /// Its address.
    pub address: u64,
    /// Its size in bytes.
    pub size: u64,
    /// Index in [`Handover::components`] of the component that defines it.
    pub component: u32,
    /// Padding, 0.
    pub reserved: u32,
}

/// A component that `init` starts.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct StartEntry {
    /// Index in [`Handover::components`].
    pub component: u32,
    /// Index of its stage in the archive's list of stages.
    pub stage: u32,
    /// Address of the component's hooks (its `COMPONENT` static).
    pub hooks: u64,
}

/// What boot cost, in time-stamp counter ticks (executed instructions under `-icount shift=0`).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Counters {
    /// The counter at the nucleus's first instruction in Rust.
    pub entry: u64,
    /// The counter when linking began.
    pub link_begin: u64,
    /// The counter when linking was done.
    pub link_end: u64,
    /// Relocations applied.
    pub relocations: u64,
}

/// A range of physical addresses.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct PhysicalRange {
    /// First byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
}

/// A range of virtual addresses.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct VirtualRange {
    /// First byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
}

macro_rules! range_methods {
    ($range:ty) => {
        impl $range {
            /// The range's length in bytes; 0 when it is empty.
            #[must_use]
            pub const fn len(&self) -> u64 {
                self.end.saturating_sub(self.start)
            }

            /// Whether the range has no byte.
            #[must_use]
            pub const fn is_empty(&self) -> bool {
                self.end <= self.start
            }

            /// Whether `address` lies in the range.
            #[must_use]
            pub const fn contains(&self, address: u64) -> bool {
                self.start <= address && address < self.end
            }
        }
    };
}

range_methods!(PhysicalRange);
range_methods!(VirtualRange);
