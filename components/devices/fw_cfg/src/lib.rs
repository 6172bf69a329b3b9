//! QEMU's firmware configuration device.
//!
//! The host names files for the guest with `-fw_cfg name=…,string=…`; they are read here by name,
//! through two ports (QEMU, docs/specs/fw_cfg). A machine without the device has no files.
//!
//! Neighbours: the shell reads the commands to run, and `init` whether there are any. Left out: the device's DMA interface, since files
//! are short and read once.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod directory;
mod ports;

use alloc::{vec, vec::Vec};

use component::{Handover, StartError};
use cpu::IrqMutex;

use directory::{ENTRY_SIZE, Entry};
use ports::{Device, Selector};

component::component! { start: start }

/// Name of the file with the commands that the machine was started for, if it was.
pub const COMMANDS: &str = "opt/strake/command";

/// What the signature item contains.
const SIGNATURE: &[u8; 4] = b"QEMU";
/// Longest file that is read; what claims to be longer is not meant for a guest like this.
const LONGEST: usize = 1 << 20;
/// Most files that the directory may list.
const MOST_FILES: u32 = 1024;

/// The device has one position: whoever reads holds it.
#[used]
static DEVICE: IrqMutex<Option<Device>> = IrqMutex::new(None);

fn start(_: &'static Handover) -> Result<(), StartError> {
    let mut device = Device::new();
    let mut signature = [0; 4];
    device.read(Selector::SIGNATURE, &mut signature);
    if signature == *SIGNATURE {
        *DEVICE.lock() = Some(device);
    } else {
        log::info!("this machine has no configuration device");
    }
    Ok(())
}

/// The contents of the file `name`, if the device is there and has it.
#[must_use]
pub fn read(name: &str) -> Option<Vec<u8>> {
    let entry = find(name)?;
    let size = usize::try_from(entry.size).ok()?;
    if size > LONGEST {
        log::warn!("{name} has {size} bytes, more than {LONGEST}");
        return None;
    }
    // Allocated before the lock is taken.
    let mut content = vec![0; size];
    DEVICE
        .lock()
        .as_mut()?
        .read(Selector(entry.selector), &mut content);
    Some(content)
}

/// The directory's entry for `name`.
fn find(name: &str) -> Option<Entry> {
    let mut guard = DEVICE.lock();
    let device = guard.as_mut()?;
    let mut count = [0; 4];
    device.read(Selector::DIRECTORY, &mut count);
    let count = u32::from_be_bytes(count).min(MOST_FILES);
    (0..count).find_map(|_| {
        let mut bytes = [0; ENTRY_SIZE];
        device.read_on(&mut bytes);
        Entry::parse(&bytes).filter(|entry| entry.name() == name.as_bytes())
    })
}
