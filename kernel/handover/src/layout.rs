//! The address space: who lives where.
//!
//! | from | what |
//! |---|---|
//! | `0` | the nucleus and free memory, identity mapped until the nucleus's memory is given back |
//! | [`MAPPINGS`] | the mapping area: stacks, device registers, buffers; one mapping a value |
//! | [`HEAP`] | the heap, grown upwards |
//! | [`ARCHIVE`] | the archive, read-only |
//! | [`HANDOVER`] | the hand-over record, read-only |
//! | [`RECURSIVE`] | the page tables, through a recursive entry |
//! | [`STUBS`] | entry stubs, read and execute |
//! | [`OBJECTS`] | the components' text, rodata and statics |
//!
//! Stubs and objects share the top 2 GiB, so that every 32-bit displacement between them reaches.

/// Size of a page and of a frame in bytes.
pub const PAGE_SIZE: u64 = 4096;

/// The mapping area's first address.
pub const MAPPINGS: u64 = 0xFFFF_8000_0000_0000;
/// The mapping area's end (64 TiB of it).
pub const MAPPINGS_END: u64 = 0xFFFF_C000_0000_0000;
/// The heap's first address.
pub const HEAP: u64 = 0xFFFF_C000_0000_0000;
/// The heap area's end (1 TiB of it).
pub const HEAP_END: u64 = 0xFFFF_C100_0000_0000;
/// Where the archive is mapped.
pub const ARCHIVE: u64 = 0xFFFF_C200_0000_0000;
/// Where the hand-over record and its tables are mapped.
pub const HANDOVER: u64 = 0xFFFF_C300_0000_0000;
/// Entry of the top page table that points to the table itself.
pub const RECURSIVE_INDEX: usize = 510;
/// First address of the recursive area.
pub const RECURSIVE: u64 = 0xFFFF_FF00_0000_0000;

/// First address of the entry stubs.
pub const STUBS: u64 = 0xFFFF_FFFF_8000_0000;
/// End of the stub area (32 MiB: two million stubs).
pub const STUBS_END: u64 = 0xFFFF_FFFF_8200_0000;
/// First address of the object area.
pub const OBJECTS: u64 = 0xFFFF_FFFF_8200_0000;
/// End of the object area. The last 2 MiB stay unmapped, so that `-1` and its like fault.
pub const OBJECTS_END: u64 = 0xFFFF_FFFF_FFE0_0000;

/// Size of an entry stub in bytes: 6 of `jmp *slot(%rip)`, 2 of padding, 8 of slot.
pub const STUB_SIZE: u64 = 16;
/// Offset of the slot in its stub.
pub const SLOT_OFFSET: u64 = 8;
