//! Links the nucleus: the one program of the system that is linked before it runs.
//!
//! It is made of its own crate and private copies of the crates that it is built from; the linker
//! drops what it does not use. The link map says what is in it, and is checked: nothing of
//! `components/` or `applications/`, and no more than it should weigh.

use crate::{
    cargo::Libraries,
    error::{Error, Result, Violation},
    files, merge, rlib,
    toolchain::{PREBUILT, Toolchain},
    workspace::{Folder, Package, Workspace},
};
use object::{Object as _, ObjectSection as _};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Name of the crate.
pub(crate) const NAME: &str = "nucleus";

/// What the loaded sections but data and bss may take, in bytes.
const LIMIT: u64 = 256 * 1024;

/// What goes into the nucleus, and where it goes.
pub(crate) struct Nucleus<'a> {
    /// The workspace.
    pub workspace: &'a Workspace,
    /// The toolchain.
    pub toolchain: &'a Toolchain,
    /// Where cargo put the libraries.
    pub libraries: &'a Libraries,
    /// Folder for what is built.
    pub out: &'a Path,
}

/// The linked nucleus.
pub(crate) struct Linked {
    /// The file.
    pub path: PathBuf,
    /// Whether it was linked just now.
    pub fresh: bool,
    /// Rules that it breaks.
    pub violations: Vec<Violation>,
}

struct Input<'a> {
    library: PathBuf,
    package: Option<&'a Package>,
}

impl Nucleus<'_> {
    /// Links the nucleus unless nothing has changed since the last time.
    ///
    /// # Errors
    ///
    /// When a library cannot be read or the linker fails, for instance because a symbol is missing.
    pub(crate) fn link(&self) -> Result<Linked> {
        let package = self.workspace.first_party(NAME);
        let package = package.ok_or_else(|| Error::Toolchain(format!("no crate {NAME}")))?;
        let own = self.libraries.get(&package.id);
        let own = own.ok_or_else(|| Error::Toolchain(format!("cargo did not build {NAME}")))?;
        let inputs = self.inputs(package)?;
        let script = self.workspace.root.join("cfg/nucleus.ld");

        let mut hasher = blake3::Hasher::new();
        hasher.update(env!("STRAKE_IMAGE_SOURCES").as_bytes());
        hasher.update(&files::read(&script)?);
        hasher.update(&files::read(own)?);
        for input in &inputs {
            hasher.update(&files::read(&input.library)?);
        }
        let stamp = hasher.finalize();
        let [path, map] = ["nucleus.elf", "nucleus.map"].map(|name| self.out.join(name));
        let stamp_path = self.out.join("cache/stamps/nucleus");
        let known = std::fs::read(&stamp_path).is_ok_and(|old| old == stamp.as_bytes());
        let fresh = !(known && path.exists() && map.exists());
        if fresh {
            let _ = std::fs::remove_file(&stamp_path);
            let debug = self.out.join("debug").join("nucleus.elf");
            self.run(own, &inputs, &[Path::new("-T"), &script], &debug)?;
            // The boot loader would read the debug information, and nobody use it.
            let map_option = PathBuf::from(format!("-Map={}", map.display()));
            let options = [
                Path::new("-T"),
                &script,
                Path::new("--strip-debug"),
                &map_option,
            ];
            self.run(own, &inputs, &options, &path)?;
            files::write_if_changed(&stamp_path, stamp.as_bytes())?;
        }
        let violations = check(&inputs, &path, &map)?;
        Ok(Linked {
            path,
            fresh,
            violations,
        })
    }

    fn inputs(&self, package: &Package) -> Result<Vec<Input<'_>>> {
        let mut inputs = Vec::new();
        for id in self.workspace.closure(&package.id) {
            if id != package.id
                && let Some(library) = self.libraries.get(&id)
            {
                let package = self.workspace.package(&id);
                inputs.push(Input {
                    library: library.clone(),
                    package,
                });
            }
        }
        for name in PREBUILT {
            inputs.push(Input {
                library: self.toolchain.prebuilt(name)?,
                package: None,
            });
        }
        Ok(inputs)
    }

    fn run(&self, own: &Path, inputs: &[Input<'_>], options: &[&Path], path: &Path) -> Result<()> {
        let library = files::read(own)?;
        let folder = self.out.join("cache/nucleus");
        files::create_folder(&folder)?;
        let mut command = Command::new(self.toolchain.linker());
        command
            .args(["-flavor", "gnu", "-static", "--gc-sections", "--no-dynamic-linker"])
            // The sections that are loaded are few and small, so they need no page of the file each.
            .args(["-z", "max-page-size=4096", "-z", "noexecstack", "--build-id=none"])
            .args(options)
            .arg("-o")
            .arg(path);
        for object in rlib::objects(NAME, &library)? {
            let file = folder.join(&object.name);
            std::fs::write(&file, object.bytes).map_err(Error::io("write", &file))?;
            command.arg(file);
        }
        // Some of the libraries need each other.
        command.arg("--start-group");
        command.args(inputs.iter().map(|input| &input.library));
        command.arg("--end-group");
        let linked = merge::run(command, "rust-lld for the nucleus");
        std::fs::remove_dir_all(&folder).map_err(Error::io("remove", &folder))?;
        linked
    }
}

/// Looks at what was linked and how large it became.
fn check(inputs: &[Input<'_>], path: &Path, map: &Path) -> Result<Vec<Violation>> {
    let mut violations = Vec::new();
    let violation = |message| Violation {
        component: NAME.into(),
        message,
    };
    let map = files::read(map)?;
    let map = String::from_utf8_lossy(&map);
    for package in inputs.iter().filter_map(|input| {
        let linked = map.contains(&format!("{}(", input.library.display()));
        input.package.filter(|package| {
            linked && package.folder.is_first_party() && package.folder != Folder::Kernel
        })
    }) {
        violations.push(violation(format!(
            "{} is linked into it",
            package.crate_name
        )));
    }
    let size = loaded_size(&files::read(path)?)?;
    if size > LIMIT {
        violations.push(violation(format!(
            "takes {size} bytes but data and bss, limit {LIMIT}"
        )));
    }
    Ok(violations)
}

/// Bytes of the loaded sections but data and bss.
fn loaded_size(nucleus: &[u8]) -> Result<u64> {
    let file = object::File::parse(nucleus).map_err(|error| Error::object(NAME, error))?;
    let sections = file.sections().filter(|section| {
        let object::SectionFlags::Elf { sh_flags, .. } = section.flags() else {
            return false;
        };
        let state = section
            .name()
            .is_ok_and(|n| n.starts_with(".data") || n.starts_with(".bss"));
        sh_flags.0 & crate::abi::SHF_ALLOC != 0 && !state
    });
    Ok(sections.map(|section| section.size()).sum())
}
