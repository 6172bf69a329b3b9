//! Which accelerator works here.
//!
//! That `/dev/kvm` can be opened proves nothing: on some machines the node is there and every guest
//! hangs. So KVM is used only if the processor has the extension and a guest has answered.

use crate::error::RunnerError;
use std::{
    fs, io,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// What executes the guest's instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accelerator {
    /// QEMU's translator; works everywhere.
    Tcg,
    /// The host's processor.
    Kvm,
}

/// A boot sector: `mov al, 0x2a; out 0xf4, al; hlt; jmp -3`.
const PROBE_CODE: [u8; 7] = [0xB0, 0x2A, 0xE6, 0xF4, 0xF4, 0xEB, 0xFD];
/// What QEMU exits with when the probe's `out` reaches the exit device.
const PROBE_STATUS: i32 = (0x2A << 1) | 1;
/// How long the probe guest has. With KVM that works it takes half a second.
const PROBE_LIMIT: Duration = Duration::from_secs(5);

impl Accelerator {
    /// KVM if it works here, else TCG. `scratch` is a folder for the probe's disk.
    ///
    /// # Errors
    ///
    /// When the probe's disk cannot be written.
    pub fn detect(scratch: &Path) -> Result<Self, RunnerError> {
        if processor_can_virtualise() && probe(scratch)? {
            Ok(Self::Kvm)
        } else {
            Ok(Self::Tcg)
        }
    }

    /// KVM, if it works here.
    ///
    /// # Errors
    ///
    /// When it does not, or the probe's disk cannot be written.
    pub fn require_kvm(scratch: &Path) -> Result<Self, RunnerError> {
        match Self::detect(scratch)? {
            Self::Kvm => Ok(Self::Kvm),
            Self::Tcg => Err(RunnerError::Setting {
                name: "ACCEL",
                value: "kvm".into(),
                expected: "auto or tcg: KVM does not work on this machine",
            }),
        }
    }
}

fn processor_can_virtualise() -> bool {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flags = text
        .lines()
        .find(|line| line.starts_with("flags"))
        .unwrap_or_default();
    flags
        .split_whitespace()
        .any(|flag| flag == "vmx" || flag == "svm")
        && Path::new("/dev/kvm").exists()
}

fn probe(scratch: &Path) -> Result<bool, RunnerError> {
    let mut sector = [0_u8; 512];
    for (to, from) in sector.iter_mut().zip(PROBE_CODE) {
        *to = from;
    }
    let [.., low, high] = &mut sector;
    (*low, *high) = (0x55, 0xAA);
    let disk = scratch.join("probe.img");
    fs::write(&disk, sector).map_err(RunnerError::io(format!("writing {}", disk.display())))?;
    let child = Command::new("qemu-system-x86_64")
        .args([
            "-accel", "kvm", "-cpu", "host", "-display", "none", "-nic", "none", "-serial",
        ])
        .args(["none", "-monitor", "none", "-no-reboot", "-m", "16"])
        .args([
            "-device",
            "isa-debug-exit,iobase=0xf4,iosize=0x04",
            "-drive",
        ])
        .arg(format!("file={},format=raw,if=ide", disk.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else {
        return Ok(false);
    };
    let status = wait_at_most(&mut child, PROBE_LIMIT);
    Ok(matches!(status, Ok(Some(status)) if status.code() == Some(PROBE_STATUS)))
}

/// Waits for `child`, and ends it when `limit` is over; `None` means it was ended.
///
/// # Errors
///
/// When the operating system cannot say how the child is.
pub fn wait_at_most(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= end {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
