//! The boot on one page.

use crate::{
    boot::{BootInformation, multiboot, pvh},
    entry,
    error::BootError,
    exceptions, features,
    memory::{self, IdentityMap},
    memory_map, port, say,
};

use core::convert::Infallible;

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
fn boot(protocol: u32, information: u32, _entered: u64) -> Result<Infallible, BootError> {
    features::check()?; // before NXE is set, which the page tables need
    features::enable_protection();
    memory::start_heap(); // before the boot information, which is copied out of its memory
    let told = boot_information(protocol, information.into())?;
    let regions = memory_map::normalise(&told.memory);
    memory::start_pool(&regions, told.archive)?; // from here on frames can be taken
    say::line(format_args!("strake {} {:?} {:x?}", env!("CARGO_PKG_VERSION"), told.protocol, regions));
    crate::exit::exit(crate::exit::Status::Failure)
}

fn boot_information(protocol: u32, address: u64) -> Result<BootInformation, BootError> {
    match protocol {
        // SAFETY: the entry code passes what the loader left in `ebx`.
        entry::MULTIBOOT2 => Ok(unsafe { multiboot::parse(address) }?),
        entry::PVH => Ok(pvh::parse(&IdentityMap, address)?),
        _ => Err(BootError::UnknownProtocol),
    }
}
