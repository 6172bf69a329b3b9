//! Where distributions keep QEMU's UEFI firmware.

use crate::error::RunnerError;
use std::{path::Path, process::Command};

/// Images with code and variables in one, for `-bios`.
const WHOLE: [&str; 3] = [
    "/usr/share/ovmf/OVMF.fd",
    "/usr/share/qemu/OVMF.fd",
    "/usr/share/edk2/ovmf/OVMF.fd",
];

/// Images of the code alone, for a read-only flash chip.
const CODE: [&str; 7] = [
    "/usr/share/OVMF/OVMF_CODE_4M.fd",
    "/usr/share/OVMF/OVMF_CODE.fd",
    "/usr/share/edk2/ovmf/OVMF_CODE.fd",
    "/usr/share/edk2/x64/OVMF_CODE.4m.fd",
    "/usr/share/qemu/edk2-x86_64-code.fd",
    "/usr/local/share/qemu/edk2-x86_64-code.fd",
    "/opt/homebrew/share/qemu/edk2-x86_64-code.fd",
];

/// Gives `qemu` a UEFI firmware.
///
/// # Errors
///
/// When there is none on this machine.
pub fn add(qemu: &mut Command) -> Result<(), RunnerError> {
    if let Some(path) = WHOLE.iter().find(|path| Path::new(path).exists()) {
        qemu.args(["-bios", path]);
    } else if let Some(path) = CODE.iter().find(|path| Path::new(path).exists()) {
        qemu.args([
            "-drive",
            &format!("if=pflash,format=raw,readonly=on,file={path}"),
        ]);
    } else {
        return Err(RunnerError::NoFirmware);
    }
    Ok(())
}
