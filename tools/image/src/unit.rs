//! Units: the crates that may become members of the archive, with where their objects come from.

use crate::{
    cargo::Libraries,
    error::{Error, Result},
    manifest::Manifest,
    policy,
    toolchain::{PREBUILT, Toolchain},
    workspace::{Folder, Package, Workspace},
};
use linker::format::metadata;
use std::{collections::BTreeMap, path::PathBuf};

/// The variant of an object with what it uses linked in.
const STATIC: &str = "static";

/// A crate in one build variant.
#[derive(Clone, Debug)]
pub struct Unit {
    /// Name of the member: the crate's, and its version behind an `@` for an older second version.
    pub name: String,
    /// Empty for the default, else the name of the alternate.
    pub variant: String,
    /// Name of the crate.
    pub crate_name: String,
    /// Version of the crate.
    pub version: String,
    /// Its library.
    pub library: PathBuf,
    /// Libraries that are linked into its object.
    pub linked_in: Vec<PathBuf>,
    /// Flags of the metadata that follow from the manifest.
    pub flags: u32,
    /// Whether it may use `unsafe` although the manifest does not name it.
    pub lacks_grant: bool,
    /// Whether it is in the image even when nobody imports from it.
    pub root: bool,
}

impl Unit {
    /// Name of its files: `console`, `console=alternate`.
    pub fn file_name(&self) -> String {
        if self.variant.is_empty() {
            self.name.clone()
        } else {
            format!("{}={}", self.name, self.variant)
        }
    }
}

/// The default units of a build: everything that cargo built, but the nucleus, and the prebuilt.
///
/// # Errors
///
/// When the toolchain lacks a prebuilt library, or a crate's root file cannot be read.
pub fn default_units(
    workspace: &Workspace,
    manifest: &Manifest,
    toolchain: &Toolchain,
    libraries: &Libraries,
) -> Result<Vec<Unit>> {
    let mut units = Vec::new();
    for (id, library) in libraries {
        let Some(package) = workspace.package(id) else {
            return Err(Error::Toolchain(format!(
                "cargo built {id}, which it did not list"
            )));
        };
        if package.folder != Folder::Kernel || package.crate_name != crate::nucleus::NAME {
            units.push(unit(package, manifest, library.clone(), "")?);
        }
    }
    name_second_versions(&mut units);
    for name in PREBUILT {
        units.push(Unit {
            name: name.to_owned(),
            variant: String::new(),
            crate_name: name.to_owned(),
            version: toolchain.release.clone(),
            library: toolchain.prebuilt(name)?,
            linked_in: Vec::new(),
            flags: metadata::PREBUILT,
            lacks_grant: false,
            root: false,
        });
    }
    units.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(units)
}

/// Of applications that the manifest names, units with what they use linked in.
pub fn statically_linked_units(manifest: &Manifest, units: &[Unit]) -> Vec<Unit> {
    let find = |name: &String| units.iter().find(|unit| unit.name == *name);
    // What is not found is reported with the manifest's other unknown names.
    let wanted = manifest.statically_linked.iter();
    wanted
        .filter_map(|(name, crates)| {
            let libraries = crates.iter().filter_map(find);
            Some(Unit {
                variant: STATIC.to_owned(),
                linked_in: libraries.map(|unit| unit.library.clone()).collect(),
                ..find(name)?.clone()
            })
        })
        .collect()
}

/// The unit of `package` in a variant.
///
/// # Errors
///
/// When the crate's root file cannot be read.
pub fn unit(
    package: &Package,
    manifest: &Manifest,
    library: PathBuf,
    variant: &str,
) -> Result<Unit> {
    let standing = policy::standing(package, manifest)?;
    let root = matches!(package.folder, Folder::Components | Folder::Applications)
        || package.folder.is_first_party() && manifest.wants(package);
    Ok(Unit {
        name: package.crate_name.clone(),
        variant: variant.to_owned(),
        crate_name: package.crate_name.clone(),
        version: package.version.clone(),
        library,
        linked_in: Vec::new(),
        flags: standing.flags,
        lacks_grant: standing.violates,
        root,
    })
}

/// Gives the older of two versions of one crate a name of its own.
fn name_second_versions(units: &mut [Unit]) {
    let mut versions: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, unit) in units.iter().enumerate() {
        versions.entry(unit.name.clone()).or_default().push(index);
    }
    for mut same in versions.into_values().filter(|same| same.len() > 1) {
        same.sort_by_key(|&index| version_numbers(&units[index].version));
        same.pop();
        for index in same {
            units[index].name = format!("{}@{}", units[index].name, units[index].version);
        }
    }
}

fn version_numbers(version: &str) -> Vec<u64> {
    version
        .split(['.', '-', '+'])
        .map(|number| number.parse().unwrap_or(0))
        .collect()
}
