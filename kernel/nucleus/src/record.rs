//! Writing the hand-over record and its tables into frames of their own.

use crate::{
    boot::{AcpiRoot, BootInformation},
    error::BootError,
    link::Linked,
    memory::TakenFrames,
};
use alloc::vec::Vec;
use handover::{
    Boot, Counters, Handover, LoadedComponent, MAGIC, MemoryRegion, PhysicalRange, Purpose,
    StartEntry, StaticStorage, Stub, Table, Text, UsedRange, VirtualRange,
    layout::{ARCHIVE, HANDOVER},
};

/// Ranges that [`Handover::used`] may have: the pool's list is no longer.
const USED_MAX: usize = crate::frame_pool::USED_RANGES;
/// The strictest alignment of anything in the record.
const ALIGN: usize = 16;

/// The frames of the record, filled from the front.
pub(crate) struct Record {
    frames: TakenFrames,
    next: usize,
}

/// What the record says, beside what is taken from elsewhere.
pub(crate) struct Contents<'a> {
    pub(crate) told: &'a BootInformation,
    pub(crate) memory: &'a [MemoryRegion],
    pub(crate) linked: &'a Linked,
    pub(crate) page_table_root: u64,
    pub(crate) boot_stack: VirtualRange,
    pub(crate) counters: Counters,
}

impl Record {
    /// Frames for a record of these contents. Taken before the list of taken frames is final.
    pub(crate) fn reserve(
        told: &BootInformation,
        memory: &[MemoryRegion],
        linked: &Linked,
    ) -> Result<Self, BootError> {
        let statics: usize =
            linked.namespace.components().map(|(_, component)| component.statics.len()).sum();
        let root = if let AcpiRoot::Copy(bytes) = &told.acpi { bytes.len() } else { 0 };
        let sizes = [
            size_of::<Handover>(),
            size_of_val(memory),
            USED_MAX * size_of::<UsedRange>(),
            linked.components.len() * size_of::<LoadedComponent>(),
            linked.namespace.stub_area() * size_of::<Stub>(),
            statics * size_of::<StaticStorage>(),
            linked.start_order.len() * size_of::<StartEntry>(),
            told.command_line.len(),
            root,
        ];
        let bytes: usize = sizes.iter().map(|size| size.next_multiple_of(ALIGN)).sum();
        let frames = TakenFrames::take(bytes as u64, Purpose::Handover)?;
        Ok(Self { frames, next: size_of::<Handover>().next_multiple_of(ALIGN) })
    }

    /// Where the record lies.
    pub(crate) const fn range(&self) -> PhysicalRange {
        self.frames.range()
    }

    /// Writes everything. The record is at [`HANDOVER`] in the final address space.
    pub(crate) fn fill(mut self, contents: &Contents<'_>) -> Result<(), BootError> {
        let Contents { told, memory, linked, .. } = contents;
        let boot = Boot {
            protocol: told.protocol,
            command_line: Text::new(self.put(told.command_line.as_bytes())?),
            acpi_root_pointer: self.acpi_root(&told.acpi)?,
        };
        let archive = told.archive;
        let handover = Handover {
            magic: MAGIC,
            boot,
            memory: self.put(memory)?,
            used: self.put(&crate::memory::used())?,
            page_table_root: contents.page_table_root,
            // SAFETY: the archive's pages are mapped there for good, and read-only.
            archive: unsafe { Table::new(ARCHIVE + archive.start % 4096, archive.len()) },
            components: self.put(&linked.components)?,
            stubs: self.put(&stubs(linked))?,
            statics: self.put(&statics(linked))?,
            start_order: self.put(&linked.start_order)?,
            objects_end: linked.objects_end,
            boot_stack: contents.boot_stack,
            counters: contents.counters,
        };
        let start = self.frames.bytes().as_mut_ptr().cast::<Handover>();
        // SAFETY: the frames are page aligned and `reserve` began with room for the record.
        unsafe { start.write(handover) };
        Ok(())
    }

    /// Copies `items` behind what is there, and says where the components will see them.
    fn put<T: Copy>(&mut self, items: &[T]) -> Result<Table<T>, BootError> {
        let start = self.next.next_multiple_of(ALIGN);
        let end = start + size_of_val(items);
        let room = self.frames.bytes().get_mut(start..end).ok_or(BootError::RecordFull)?;
        let target = room.as_mut_ptr().cast::<T>();
        // SAFETY: `room` is as long as `items`, is nothing else, and is aligned for every type here.
        unsafe { target.copy_from_nonoverlapping(items.as_ptr(), items.len()) };
        self.next = end;
        // SAFETY: mapped at this address for good, read-only, and initialised just now.
        Ok(unsafe { Table::new(HANDOVER + start as u64, items.len() as u64) })
    }

    /// The physical address of ACPI's root pointer; a copy gets a place in the record.
    fn acpi_root(&mut self, root: &AcpiRoot) -> Result<u64, BootError> {
        Ok(match root {
            AcpiRoot::None => 0,
            AcpiRoot::At(address) => *address,
            AcpiRoot::Copy(bytes) => {
                self.put(bytes)?.address() - HANDOVER + self.frames.range().start
            }
        })
    }
}

fn stubs(linked: &Linked) -> Vec<Stub> {
    let stubs = linked.namespace.stubs();
    stubs
        .map(|(_, stub)| Stub {
            key: stub.function.key.0,
            digest: stub.function.digest,
            component: stub.component.0,
            reserved: 0,
        })
        .collect()
}

fn statics(linked: &Linked) -> Vec<StaticStorage> {
    let components = linked.namespace.components();
    components
        .flat_map(|(id, component)| {
            component.statics.iter().map(move |storage| StaticStorage {
                key: storage.key.0,
                address: storage.address,
                size: storage.size,
                component: id.0,
                reserved: 0,
            })
        })
        .collect()
}
