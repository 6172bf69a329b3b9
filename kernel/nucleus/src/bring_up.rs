//! The boot on one page.

use crate::{
    address_space::{Access, AddressSpace, Pages},
    boot::{BootInformation, PhysicalMemory, multiboot, pvh},
    entry,
    error::BootError,
    exceptions, features,
    leave::leave,
    link::{Linked, link_all},
    memory::{self, IdentityMap, TakenFrames, pages_around},
    memory_map, port,
    record::{Contents, Record},
    say,
};
use core::{convert::Infallible, fmt};
use handover::{
    Counters, PhysicalRange, Purpose, VirtualRange,
    layout::{ARCHIVE, HANDOVER, MAPPINGS, PAGE_SIZE},
};
use linker::format::archive::Archive;

/// Size of the stack on which `init` runs.
const BOOT_STACK_BYTES: u64 = 64 * 1024;

/// Where that stack lies: the page below is its guard, never mapped.
const BOOT_STACK: VirtualRange = VirtualRange {
    start: MAPPINGS + PAGE_SIZE,
    end: MAPPINGS + PAGE_SIZE + BOOT_STACK_BYTES,
};

/// Called by the entry code, in long mode, identity mapped, interrupts off.
pub(crate) extern "C" fn nucleus_main(protocol: u32, information: u32) -> ! {
    let entered = port::timestamp();
    say::start(); // first, since everything below may want to complain
    exceptions::install(); // second: from here on a fault is a message, not a reset
    match boot(protocol, information, entered) {
        Ok(never) => match never {},
        Err(error) => say::fatal(&error),
    }
}

/// Everything from the first message to the jump into the components.
fn boot(protocol: u32, information: u32, entered: u64) -> Result<Infallible, BootError> {
    features::check()?; // before NXE is set, which the page tables need
    features::enable_protection();
    memory::start_heap(); // before the boot information, which is copied out of its memory
    let told = boot_information(protocol, information.into())?;
    let regions = memory_map::normalise(&told.memory);
    memory::start_pool(&regions, told.archive)?; // from here on frames can be taken
    let archive = Archive::parse(archive_bytes(told.archive)?)?;
    let begin = port::timestamp();
    let linked = link_all(&archive)?;
    let counters = Counters {
        entry: entered,
        link_begin: begin,
        link_end: port::timestamp(),
        relocations: linked.relocations,
    };
    let record = Record::reserve(&told, &regions, &linked)?; // before the tables that map it
    let pages = pages(&linked, told.archive, record.range())?;
    let space = AddressSpace::build(&pages, &memory::untouched(&regions))?;
    let page_table_root = space.root();
    let contents = Contents {
        told: &told,
        memory: &regions,
        linked: &linked,
        page_table_root,
        boot_stack: BOOT_STACK,
        counters,
    };
    record.fill(&contents)?; // last, because it lists every frame that was taken
    announce(&linked);
    // SAFETY: `pages` has the stack and the record, and all that was linked.
    unsafe { leave(&space, BOOT_STACK, linked.entry) }
}

/// Reads what the boot loader tells, by its protocol.
fn boot_information(protocol: u32, address: u64) -> Result<BootInformation, BootError> {
    match protocol {
        // SAFETY: the entry code passes what the loader left in `ebx`.
        entry::MULTIBOOT2 => Ok(unsafe { multiboot::parse(address) }?),
        entry::PVH => Ok(pvh::parse(&IdentityMap, address)?),
        _ => Err(BootError::UnknownProtocol),
    }
}

/// The archive's bytes. Nothing writes there: the pool leaves them out.
fn archive_bytes(range: PhysicalRange) -> Result<&'static [u8], BootError> {
    let outside = BootError::ArchiveOutside { start: range.start, end: range.end };
    IdentityMap.bytes(range.start, range.len()).ok_or(outside)
}

/// Everything that the components see, but for the nucleus and the tables themselves.
fn pages(
    linked: &Linked,
    archive: PhysicalRange,
    record: PhysicalRange,
) -> Result<alloc::vec::Vec<Pages>, BootError> {
    let stack = TakenFrames::take(BOOT_STACK_BYTES, Purpose::BootStack)?;
    let mut pages = linked.pages.clone();
    pages.extend([
        Pages::new(ARCHIVE, pages_around(archive), Access::Read),
        Pages::new(HANDOVER, record, Access::Read),
        Pages::new(BOOT_STACK.start, stack.range(), Access::ReadWrite),
    ]);
    Ok(pages)
}

/// Says what was done, over the last progress message.
fn announce(linked: &Linked) {
    say::progress(format_args!(
        "strake {}: {} components, {} relocations linked\n",
        env!("CARGO_PKG_VERSION"),
        linked.components.len(),
        Grouped(linked.relocations),
    ));
}

/// A number below a thousand million with its thousands marked.
struct Grouped(u64);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (millions, thousands, ones) =
            (self.0 / 1_000_000, self.0 / 1000 % 1000, self.0 % 1000);
        match (millions, thousands) {
            (0, 0) => write!(f, "{ones}"),
            (0, _) => write!(f, "{thousands},{ones:03}"),
            _ => write!(f, "{millions},{thousands:03},{ones:03}"),
        }
    }
}
