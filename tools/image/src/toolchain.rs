//! The toolchain: where its parts lie, the flags that every object is built with, and its id.

use crate::error::{Error, Result};
use object::{Object as _, ObjectSymbol as _};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The target of every component.
pub(crate) const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The cargo profile of every component.
pub(crate) const PROFILE: &str = "component";

/// Code generation flags of every object.
pub(crate) const FLAGS: [&str; 7] = [
    // Calls to other crates are plain `call rel32` and not loads of a GOT word.
    "-Crelro-level=off",
    "-Cno-redzone=yes",
    "-Cembed-bitcode=no",
    // The default is still the legacy form, whose hash changes with every edit.
    "-Csymbol-mangling-version=v0",
    // Otherwise a caller of a function that can only fail by a CPU exception loses its landing pad.
    "-Cllvm-args=-disable-nounwind-inference",
    // Both: otherwise functions with equal bodies become one, and a swap of its twin never arrives.
    "-Cllvm-args=-mergefunc-use-aliases=false",
    "-Cllvm-args=-mergefunc-preserve-debug-info",
];

/// The crates that come prebuilt with the toolchain.
pub(crate) const PREBUILT: [&str; 3] = ["core", "alloc", "compiler_builtins"];

/// The Rust toolchain in use.
pub struct Toolchain {
    /// Root of the installation.
    pub sysroot: PathBuf,
    /// Its release number, such as 1.95.0.
    pub release: String,
    /// The commit it was built from.
    pub commit: String,
    /// Id: hash of version, target and flags. Objects of different ids do not mix.
    pub id: u128,
}

impl Toolchain {
    /// Asks the `rustc` that compiles the workspace at `root`.
    ///
    /// # Errors
    ///
    /// When `rustc` does not run or answers in a form that is not understood.
    pub fn find(root: &Path) -> Result<Self> {
        let version = rustc(root, &["-vV"])?;
        let field = |name: &str| {
            version
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
                .map(str::to_owned)
                .ok_or_else(|| Error::Toolchain(format!("rustc -vV gives no \"{name}\"")))
        };
        let mut hasher = blake3::Hasher::new();
        for part in [version.as_str(), TARGET].into_iter().chain(FLAGS) {
            hasher.update(part.as_bytes());
            hasher.update(b"\0");
        }
        Ok(Self {
            release: field("release")?,
            commit: field("commit-hash")?,
            id: truncate(&hasher),
            sysroot: PathBuf::from(rustc(root, &["--print", "sysroot"])?.trim_end()),
        })
    }

    /// The toolchain's linker.
    pub fn linker(&self) -> PathBuf {
        self.sysroot
            .join("lib/rustlib")
            .join(TARGET)
            .join("bin/rust-lld")
    }

    /// The prebuilt library of `name`.
    ///
    /// # Errors
    ///
    /// When the target's library folder cannot be read or has no such library.
    pub fn prebuilt(&self, name: &str) -> Result<PathBuf> {
        let folder = self.sysroot.join("lib/rustlib").join(TARGET).join("lib");
        let prefix = format!("lib{name}-");
        for entry in fs::read_dir(&folder).map_err(Error::io("read", &folder))? {
            let entry = entry.map_err(Error::io("read", &folder))?;
            let file = entry.file_name();
            let file = file.to_string_lossy();
            if file.starts_with(&prefix) && file.ends_with(".rlib") {
                return Ok(entry.path());
            }
        }
        Err(Error::Toolchain(format!(
            "{} has no library of {name}",
            folder.display()
        )))
    }

    /// Flags that keep this machine's paths out of the objects.
    pub fn remap_flags(&self, workspace: &Path) -> Vec<String> {
        let mut flags = vec![remap(workspace, "strake")];
        let home = std::env::var_os("CARGO_HOME")
            .map(PathBuf::from)
            .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
        if let Some(home) = home {
            flags.push(remap(&home, "cargo"));
        }
        let library = self.sysroot.join("lib/rustlib/src/rust");
        flags.push(remap(&library, &format!("/rustc/{}", self.commit)));
        flags
    }
}

/// What liballoc's allocator symbols begin with: `_RNvCs…_7___rustc`.
///
/// # Errors
///
/// When liballoc imports no allocation function.
pub(crate) fn allocator_prefix(alloc: &[u8]) -> Result<String> {
    const ALLOCATE: &str = "12___rust_alloc";
    let missing = || Error::Toolchain("liballoc imports no allocation function".into());
    let file = object::File::parse(alloc).map_err(|error| Error::object("alloc", error))?;
    file.symbols()
        .filter(object::ObjectSymbol::is_undefined)
        .filter_map(|symbol| symbol.name().ok()?.strip_suffix(ALLOCATE))
        .map(str::to_owned)
        .next()
        .ok_or_else(missing)
}

/// The first 16 bytes of a hash.
pub(crate) fn truncate(hasher: &blake3::Hasher) -> u128 {
    let mut bytes = [0; 16];
    hasher.finalize_xof().fill(&mut bytes);
    u128::from_le_bytes(bytes)
}

fn remap(from: &Path, to: &str) -> String {
    format!("--remap-path-prefix={}={to}", from.display())
}

fn rustc(root: &Path, arguments: &[&str]) -> Result<String> {
    let program = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(&program)
        .args(arguments)
        .current_dir(root)
        .output()
        .map_err(Error::io("run", Path::new(&program)))?;
    if !output.status.success() {
        return Err(Error::Program {
            program: format!("rustc {}", arguments.join(" ")),
            message: String::from_utf8_lossy(&output.stderr).into_owned(),
        });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
