//! Runs cargo: once for all crates, and once more for each group of alternates, alone.

use crate::{
    build::Options,
    cargo::{Invocation, Libraries},
    error::{Error, Result},
    files,
    manifest::Manifest,
    rlib,
    toolchain::{Toolchain, allocator_prefix},
    unit::{Unit, default_units, statically_linked_units, unit},
    workspace::{Folder, Package, Workspace},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

/// What is compiled, and by what.
pub(crate) struct Compilation<'a> {
    /// What was asked for.
    pub(crate) options: &'a Options,
    /// The toolchain.
    pub(crate) toolchain: &'a Toolchain,
    /// The workspace.
    pub(crate) workspace: &'a Workspace,
    /// The manifest.
    pub(crate) manifest: &'a Manifest,
}

/// What cargo built.
pub(crate) struct Compiled {
    /// What may become a member of the archive.
    pub(crate) units: Vec<Unit>,
    /// The libraries of the default build.
    pub(crate) libraries: Libraries,
}

/// The libraries of alternates, as they were built from what `stamp` is the hash of.
#[derive(Serialize, Deserialize)]
struct KnownAlternates {
    stamp: String,
    libraries: Vec<(String, PathBuf)>,
}

impl Compilation<'_> {
    /// Compiles everything that the image needs.
    ///
    /// # Errors
    ///
    /// When cargo cannot be run, or a crate does not compile.
    pub(crate) fn run(&self, progress: &mut dyn FnMut(&str)) -> Result<Compiled> {
        let alloc = files::read(&self.toolchain.prebuilt("alloc")?)?;
        let object = rlib::objects("alloc", &alloc)?;
        let object = object.first().map_or(&[][..], |object| object.bytes);
        let invocation = Invocation {
            workspace: self.workspace,
            toolchain: self.toolchain,
            program: &self.options.program,
            allocator_prefix: &allocator_prefix(object)?,
            kept: self.options.out.join("cache/libraries"),
        };
        let libraries = invocation.run(&self.packages(), &[], progress)?;
        let mut units = default_units(self.workspace, self.manifest, self.toolchain, &libraries)?;
        if !self.options.objects_only {
            units.extend(statically_linked_units(self.manifest, &units));
            for (variant, crates) in &self.manifest.alternates {
                let found = crates
                    .iter()
                    .filter_map(|name| self.workspace.first_party(name));
                let packages: Vec<&Package> = found
                    .filter(|package| package.features.contains(variant))
                    .collect();
                for group in self.independent_groups(&packages) {
                    let alternates =
                        self.alternates(&invocation, variant, &group, &libraries, progress)?;
                    for (id, library) in alternates {
                        if let Some(package) = group.iter().find(|package| package.id == id) {
                            units.push(unit(package, self.manifest, library, variant)?);
                        }
                    }
                }
            }
        }
        Ok(Compiled { units, libraries })
    }

    /// Names of the packages of the system, and of those that the manifest names.
    fn packages(&self) -> BTreeSet<String> {
        let system = [Folder::Kernel, Folder::Components, Folder::Applications];
        let packages = self.workspace.packages();
        packages
            .filter(|package| {
                system.contains(&package.folder)
                    || package.folder.is_first_party() && self.manifest.wants(package)
            })
            .map(|package| package.name.clone())
            .collect()
    }

    /// Groups of packages none of which is built from another: an alternate must be compiled against
    /// the default build of everything else.
    fn independent_groups<'p>(&self, packages: &[&'p Package]) -> Vec<Vec<&'p Package>> {
        let depends = |a: &Package, b: &Package| self.workspace.closure(&a.id).contains(&b.id);
        let mut groups: Vec<Vec<&Package>> = Vec::new();
        for &package in packages {
            let fits = |group: &&mut Vec<&Package>| {
                !group
                    .iter()
                    .any(|other| depends(package, other) || depends(other, package))
            };
            match groups.iter_mut().find(fits) {
                Some(group) => group.push(package),
                None => groups.push(vec![package]),
            }
        }
        groups
    }

    /// The libraries of a group of alternates: built, or known when nothing that they are made of
    /// has changed, because asking cargo costs more than all the rest of a build without changes.
    fn alternates(
        &self,
        invocation: &Invocation<'_>,
        variant: &str,
        group: &[&Package],
        libraries: &Libraries,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Vec<(String, PathBuf)>> {
        let names: Vec<&str> = group.iter().map(|package| package.name.as_str()).collect();
        let file = self
            .options
            .out
            .join(format!("cache/stamps/{variant}-{}", names.join("-")));
        let stamp = self.stamp(group, libraries)?;
        let known = fs::read(&file)
            .ok()
            .and_then(|known| serde_json::from_slice(&known).ok());
        if let Some(KnownAlternates {
            stamp: built,
            libraries,
        }) = known
            && built == stamp
            && libraries.iter().all(|(_, library)| library.exists())
        {
            return Ok(libraries);
        }
        let features: Vec<String> = names
            .iter()
            .map(|name| format!("{name}/{variant}"))
            .collect();
        let mut built = invocation.run(
            &names.iter().map(ToString::to_string).collect(),
            &features,
            progress,
        )?;
        // Asked for alone, they would be built from fewer features of what they depend on, if
        // something else in the system wanted those.
        let of_the_system = |(id, library): (&String, &PathBuf)| {
            group.iter().any(|package| package.id == *id) || libraries.get(id) == Some(library)
        };
        if !built.iter().all(of_the_system) {
            built = invocation.run(&self.packages(), &features, progress)?;
        }
        let libraries = group
            .iter()
            .filter_map(|package| Some((package.id.clone(), built.get(&package.id)?.clone())))
            .collect();
        let known = KnownAlternates { stamp, libraries };
        let text = serde_json::to_vec(&known)
            .map_err(|error| Error::Toolchain(format!("alternates of {names:?}: {error}")))?;
        files::write_if_changed(&file, &text)?;
        Ok(known.libraries)
    }

    /// Hash of what alternates are made of: the default build, and the sources that only the
    /// alternates may use.
    fn stamp(&self, group: &[&Package], libraries: &Libraries) -> Result<String> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(env!("STRAKE_IMAGE_SOURCES").as_bytes());
        hasher.update(&self.toolchain.id.to_le_bytes());
        for library in libraries.values() {
            file_state(&mut hasher, library)?;
        }
        for package in group {
            let source = package.source.parent().unwrap_or(Path::new("."));
            file_state(&mut hasher, &source.with_file_name("Cargo.toml"))?;
            folder_state(&mut hasher, source)?;
        }
        Ok(hasher.finalize().to_string())
    }
}

fn folder_state(hasher: &mut blake3::Hasher, folder: &Path) -> Result<()> {
    let entries = fs::read_dir(folder).map_err(Error::io("read", folder))?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(Error::io("read", folder))?.path());
    }
    paths.sort();
    for path in paths {
        if path.is_dir() {
            folder_state(hasher, &path)?;
        } else {
            file_state(hasher, &path)?;
        }
    }
    Ok(())
}

/// Name, size and time of the last change, as cargo does it.
fn file_state(hasher: &mut blake3::Hasher, path: &Path) -> Result<()> {
    let metadata = fs::metadata(path).map_err(Error::io("look at", path))?;
    let changed = metadata.modified().map_err(Error::io("look at", path))?;
    let changed = changed.duration_since(UNIX_EPOCH).unwrap_or_default();
    hasher.update(path.as_os_str().as_encoded_bytes());
    hasher.update(&metadata.len().to_le_bytes());
    hasher.update(&changed.as_nanos().to_le_bytes());
    Ok(())
}
