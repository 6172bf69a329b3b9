//! The Linux guest: Debian's kernel package, and an initial file system with our programs and modules.
//!
//! Nothing is installed for it: the kernel's package is fetched by apt, of the version that the
//! installed kernel headers have, and unpacked into the folder of what is built.

use crate::{FOLDER, figures::Figures, guest::printed};
use runner::RunnerError;
use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Our sources.
const SOURCES: &str = "tools/benchmarks/linux";
/// Where Debian keeps the headers of kernels.
const HEADERS: &str = "/usr/src";
/// Rows that are not in ticks: bytes, and what the kernel's clock or a program's says.
const NOT_TICKS: &[&str] = &["memory", "sleeping-task", "boot", "catch", "unwind-50"];
/// Linux at its best: no mitigations, nothing printed that is not asked for, and no idle waiting for
/// other processors, of which there are none.
const COMMAND_LINE: &str =
    "console=ttyS0 quiet mitigations=off nokaslr panic=-1 rcupdate.rcu_expedited=1";
/// What a program that is linked dynamically needs, and where.
const DYNAMIC: &[&str] = &[
    "/lib64/ld-linux-x86-64.so.2",
    "/lib/x86_64-linux-gnu/libc.so.6",
];

/// Why there is no Linux to compare with.
#[derive(Debug)]
pub(crate) enum LinuxError {
    /// The host is not a Debian with the kernel's headers.
    NoHeaders,
    /// A program that makes the guest failed.
    Failed {
        /// Its command line.
        command: String,
        /// What it wrote.
        output: String,
    },
    /// A file or program could not be used.
    Runner(RunnerError),
    /// The guest did not come to its end.
    Unfinished {
        /// The end of what it printed.
        tail: String,
    },
}

impl fmt::Display for LinuxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHeaders => write!(
                f,
                "no kernel headers in {HEADERS}; they come with Debian's package linux-headers-amd64"
            ),
            Self::Failed { command, output } => write!(f, "`{command}` failed:\n{output}"),
            Self::Runner(error) => error.fmt(f),
            Self::Unfinished { tail } => {
                write!(f, "the Linux guest did not finish; it ended with:\n{tail}")
            }
        }
    }
}

impl From<RunnerError> for LinuxError {
    fn from(error: RunnerError) -> Self {
        Self::Runner(error)
    }
}

/// A Linux that can be booted.
pub(crate) struct Linux {
    kernel: PathBuf,
    initial_files: PathBuf,
    /// Its version, as its package says.
    pub(crate) version: String,
}

impl Linux {
    /// Fetches, compiles and packs what is not there yet.
    pub(crate) fn build() -> Result<Self, LinuxError> {
        let version = installed_headers().ok_or(LinuxError::NoHeaders)?;
        let folder = absolute(Path::new(FOLDER))?.join("linux");
        let kernel = fetch_kernel(&folder, &version)?;
        let initial_files = folder.join("initial-files.cpio");
        let root = folder.join("root");
        let _ = fs::remove_dir_all(&root); // It may not be there yet.
        create(&root)?;
        compile_programs(&root)?;
        compile_modules(&folder.join("modules"), &root, &version)?;
        for path in DYNAMIC {
            let target = root.join(path.trim_start_matches('/'));
            create(target.parent().unwrap_or(&root))?;
            copy(Path::new(path), &target)?;
        }
        pack(&root, &initial_files)?;
        Ok(Self {
            kernel,
            initial_files,
            version,
        })
    }

    /// Runs it, with instructions counted or not.
    pub(crate) fn measure(&self, instruction_count: bool) -> Result<Figures, LinuxError> {
        let text = printed(self.qemu(instruction_count))?;
        let clock = text.lines().find_map(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            let [.., "clock", ticks, "ticks", nanoseconds, "nanoseconds"] = words[..] else {
                return None;
            };
            Some((ticks.parse().ok()?, nanoseconds.parse().ok()?))
        });
        for line in text.lines().filter(|line| line.starts_with("failed: ")) {
            eprintln!("benchmarks: the Linux guest: {}", line.trim());
        }
        let Some((ticks, nanoseconds)) = clock else {
            let start = text.len().saturating_sub(2000);
            let tail = text.get(start..).unwrap_or(&text).into();
            return Err(LinuxError::Unfinished { tail });
        };
        let mut figures = Figures::read_linux(&text);
        if !instruction_count {
            figures.scale(ticks, nanoseconds, NOT_TICKS);
        }
        Ok(figures)
    }

    /// The same machine as [`runner::Machine`]'s.
    fn qemu(&self, instruction_count: bool) -> Command {
        let mut qemu = Command::new("qemu-system-x86_64");
        qemu.args(["-display", "none", "-nic", "none", "-monitor", "none"])
            .args(["-m", "256M", "-smp", "1", "-accel", "tcg", "-no-reboot"])
            .args(["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"])
            .args(["-serial", "stdio", "-append", COMMAND_LINE, "-kernel"])
            .arg(&self.kernel)
            .arg("-initrd")
            .arg(&self.initial_files);
        if instruction_count {
            qemu.args(["-icount", "shift=0,sleep=off", "-seed", "1"])
                .args(["-rtc", "base=2026-01-01T00:00:00,clock=vm"]);
        }
        qemu
    }
}

/// The newest kernel version whose headers are installed.
fn installed_headers() -> Option<String> {
    let versions = fs::read_dir(HEADERS).ok()?.flatten().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let version = name
            .strip_prefix("linux-headers-")?
            .strip_suffix("-amd64")?;
        Some(format!("{version}-amd64"))
    });
    versions.max_by_key(|version| numbers(version))
}

/// The numbers in a version, for comparing.
fn numbers(version: &str) -> Vec<u32> {
    let parts = version.split(|c: char| !c.is_ascii_digit());
    parts.filter_map(|part| part.parse().ok()).collect()
}

fn fetch_kernel(folder: &Path, version: &str) -> Result<PathBuf, LinuxError> {
    let unpacked = folder.join(version);
    let kernel = unpacked.join("boot").join(format!("vmlinuz-{version}"));
    if kernel.exists() {
        return Ok(kernel);
    }
    eprintln!("benchmarks: fetching the package linux-image-{version}");
    let packages = folder.join("packages");
    create(&packages)?;
    let package = format!("linux-image-{version}");
    run(Command::new("apt-get")
        .args(["-qq", "download", &package])
        .current_dir(&packages))?;
    let file = newest(&packages, &package)?;
    run(Command::new("dpkg-deb").arg("-x").arg(file).arg(&unpacked))?;
    Ok(kernel)
}

fn newest(folder: &Path, prefix: &str) -> Result<PathBuf, LinuxError> {
    let list = fs::read_dir(folder).map_err(RunnerError::io("reading the fetched packages"))?;
    let files = list.flatten().map(|entry| entry.path()).filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(prefix) && name.ends_with(".deb")
    });
    files.max().ok_or_else(|| LinuxError::Failed {
        command: format!("apt-get download {prefix}"),
        output: "it fetched nothing".into(),
    })
}

fn compile_programs(root: &Path) -> Result<(), LinuxError> {
    let static_libc: &[&str] = &["-static", "-pthread"];
    let alone: &[&str] = &["-static", "-nostdlib", "-nostartfiles"];
    let shared: &[&str] = &["-shared", "-fPIC", "-nostdlib"];
    for (source, name, flags) in [
        ("init.c", "init", static_libc),
        ("hello_libc.c", "hello_libc", static_libc),
        ("hello.c", "hello", alone),
        ("library.c", "library.so", shared),
        ("loads_library.c", "loads_library", &[]),
    ] {
        run(Command::new("cc")
            .args(["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror"])
            .args(flags)
            .arg("-o")
            .arg(root.join(name))
            .arg(Path::new(SOURCES).join(source)))?;
    }
    let target = "x86_64-unknown-linux-gnu";
    let folder = Path::new(FOLDER).join("target");
    run(Command::new("cargo")
        .args(["rustc", "--quiet", "--release", "-p", "benchmarks"])
        .args(["--bin", "unwinds", "--target", target, "--target-dir"])
        .arg(&folder)
        .args(["--", "-C", "target-feature=+crt-static"]))?;
    copy(
        &folder.join(target).join("release/unwinds"),
        &root.join("unwinds"),
    )
}

fn compile_modules(folder: &Path, root: &Path, version: &str) -> Result<(), LinuxError> {
    create(folder)?;
    for name in ["Kbuild", "inside.c", "small.c", "measure.h"] {
        copy(&Path::new(SOURCES).join(name), &folder.join(name))?;
    }
    let headers = format!("{HEADERS}/linux-headers-{version}");
    run(Command::new("make")
        .env_remove("MAKEFLAGS") // Those of the build that runs us are not the kernel's.
        .env_remove("MAKELEVEL")
        .args(["-s", "-C", &headers])
        .arg(format!("M={}", folder.display()))
        .arg("modules"))?;
    for name in ["inside.ko", "small.ko"] {
        run(Command::new("strip")
            .args(["--strip-debug", "-o"])
            .arg(root.join(name))
            .arg(folder.join(name)))?;
    }
    Ok(())
}

/// Packs `root` as the kernel unpacks it (`newc`).
fn pack(root: &Path, archive: &Path) -> Result<(), LinuxError> {
    let script = "find . | sort | cpio -o -H newc --quiet --owner 0:0 > \"$1\"";
    run(Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(archive)
        .current_dir(root))
}

fn run(command: &mut Command) -> Result<(), LinuxError> {
    let shown = format!("{command:?}").replace('"', "");
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|source| RunnerError::Start {
            program: shown.clone(),
            source,
        })?;
    if output.status.success() {
        return Ok(());
    }
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    Err(LinuxError::Failed {
        command: shown,
        output: text,
    })
}

fn create(folder: &Path) -> Result<(), RunnerError> {
    let what = format!("making the folder {}", folder.display());
    fs::create_dir_all(folder).map_err(RunnerError::io(what))
}

fn copy(from: &Path, to: &Path) -> Result<(), LinuxError> {
    let what = format!("copying {} to {}", from.display(), to.display());
    fs::copy(from, to).map_err(RunnerError::io(what))?;
    Ok(())
}

fn absolute(path: &Path) -> Result<PathBuf, RunnerError> {
    std::path::absolute(path).map_err(RunnerError::io("finding the folder of this run"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        assert!(numbers("6.1.0-56-amd64") > numbers("6.1.0-9-amd64"));
        assert!(numbers("6.10.0-1-amd64") > numbers("6.9.0-1-amd64"));
    }
}
