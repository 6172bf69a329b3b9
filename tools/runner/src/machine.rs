//! A machine: the QEMU command line.

use crate::{accelerator::Accelerator, error::RunnerError, firmware};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The folder of everything that is built, from the workspace's root.
pub const BUILD: &str = "build";

/// How the nucleus gets control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boot {
    /// BIOS, GRUB, multiboot2.
    Bios,
    /// UEFI, GRUB, multiboot2.
    Uefi,
    /// QEMU's `-kernel` by PVH, without a firmware's boot loader.
    Direct,
}

/// What is booted.
#[derive(Clone, Debug)]
pub struct Artifacts {
    /// The bootable ISO.
    pub iso: PathBuf,
    /// The nucleus, an ELF file.
    pub nucleus: PathBuf,
    /// The archive.
    pub archive: PathBuf,
}

impl Default for Artifacts {
    fn default() -> Self {
        let build = Path::new(BUILD);
        Self {
            iso: build.join("strake.iso"),
            nucleus: build.join("nucleus.elf"),
            archive: build.join("strake.archive"),
        }
    }
}

/// What the machine's two serial ports are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ports {
    /// The console on QEMU's standard input and output, the second port on a socket with this path.
    Both(PathBuf),
    /// The console only.
    Console,
    /// No serial port at all.
    None,
}

/// A machine to run.
#[derive(Clone, Debug)]
pub struct Machine {
    /// What is booted.
    pub artifacts: Artifacts,
    /// How.
    pub boot: Boot,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// Number of processors.
    pub processors: u32,
    /// What executes it.
    pub accelerator: Accelerator,
    /// Whether guest time is the number of executed instructions.
    pub instruction_count: bool,
    /// With instructions counted, an instruction takes two to the power of this nanoseconds.
    pub instruction_shift: u32,
    /// Its serial ports.
    pub ports: Ports,
    /// Path of a socket for gdb.
    pub debugger: Option<PathBuf>,
    /// A file with the commands that the system runs instead of a session.
    pub command: Option<PathBuf>,
    /// A file with one more ACPI table.
    pub acpi_table: Option<PathBuf>,
    /// The kernel command line, when booted directly.
    pub command_line: String,
    /// Whether a reset starts the machine again or ends it.
    pub survives_reset: bool,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            artifacts: Artifacts::default(),
            boot: Boot::Bios,
            memory_mib: 256,
            processors: 1,
            accelerator: Accelerator::Tcg,
            instruction_count: false,
            instruction_shift: 0,
            ports: Ports::Console,
            debugger: None,
            command: None,
            acpi_table: None,
            command_line: String::new(),
            survives_reset: false,
        }
    }
}

impl Machine {
    /// The command that runs the machine.
    ///
    /// # Errors
    ///
    /// When what it boots, or the firmware, is not there.
    pub fn qemu(&self) -> Result<Command, RunnerError> {
        let mut qemu = tied_to_parent("qemu-system-x86_64");
        qemu.args(["-display", "none", "-nic", "none", "-monitor", "none", "-m"])
            .arg(format!("{}M", self.memory_mib))
            .args(["-smp", &self.processors.to_string()])
            .args(["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"]);
        self.add_processor(&mut qemu);
        self.add_boot(&mut qemu)?;
        self.add_ports(&mut qemu);
        if let Some(path) = &self.debugger {
            let path = path.display();
            qemu.args(["-gdb", &format!("unix:{path},server=on,wait=off")]);
        }
        if let Some(path) = &self.command {
            qemu.args([
                "-fw_cfg",
                &format!("name=opt/strake/command,file={}", path.display()),
            ]);
        }
        if let Some(path) = &self.acpi_table {
            qemu.args(["-acpitable", &format!("file={}", path.display())]);
        }
        if !self.survives_reset {
            qemu.arg("-no-reboot");
        }
        Ok(qemu)
    }

    fn add_processor(&self, qemu: &mut Command) {
        match self.accelerator {
            Accelerator::Tcg => qemu.args(["-accel", "tcg"]),
            Accelerator::Kvm => qemu.args(["-accel", "kvm", "-cpu", "host"]),
        };
        if self.instruction_count {
            let shift = self.instruction_shift;
            qemu.args(["-icount", &format!("shift={shift},sleep=off"), "-seed", "1"])
                .args(["-rtc", "base=2026-01-01T00:00:00,clock=vm"]);
        }
    }

    fn add_boot(&self, qemu: &mut Command) -> Result<(), RunnerError> {
        if self.boot == Boot::Direct {
            qemu.arg("-kernel").arg(built(&self.artifacts.nucleus)?);
            qemu.arg("-initrd").arg(built(&self.artifacts.archive)?);
            if !self.command_line.is_empty() {
                qemu.arg("-append").arg(&self.command_line);
            }
            return Ok(());
        }
        if self.boot == Boot::Uefi {
            firmware::add(qemu)?;
        }
        qemu.arg("-cdrom").arg(built(&self.artifacts.iso)?);
        Ok(())
    }

    fn add_ports(&self, qemu: &mut Command) {
        if self.ports == Ports::None {
            qemu.args(["-serial", "none"]);
            return;
        }
        qemu.args([
            "-chardev",
            "stdio,id=console,signal=off",
            "-serial",
            "chardev:console",
        ]);
        if let Ports::Both(path) = &self.ports {
            let path = path.display();
            qemu.args([
                "-chardev",
                &format!("socket,id=push,path={path},server=on,wait=off"),
            ]);
            qemu.args(["-serial", "chardev:push"]);
        }
    }
}

fn built(path: &Path) -> Result<&Path, RunnerError> {
    if fs::metadata(path).is_ok() {
        Ok(path)
    } else {
        Err(RunnerError::Missing {
            path: path.to_owned(),
            make: "make iso",
        })
    }
}

/// A command that ends when its parent does, however that ends, where the system can do that.
fn tied_to_parent(program: &str) -> Command {
    const SETPRIV: &str = "/usr/bin/setpriv";
    if !Path::new(SETPRIV).exists() {
        return Command::new(program);
    }
    let mut command = Command::new(SETPRIV);
    command.args(["--pdeathsig", "KILL", "--", program]);
    command
}
