//! The workspace as `cargo metadata` describes it: packages, their folders, who depends on whom.

use crate::error::{Error, Result};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
};

/// The packages of a build.
pub struct Workspace {
    /// Folder of the root `Cargo.toml`.
    pub root: PathBuf,
    packages: BTreeMap<String, Package>,
    dependencies: BTreeMap<String, Vec<String>>,
}

/// A package and its library.
pub struct Package {
    /// Cargo's id of it.
    pub id: String,
    /// Its name, as `-p` takes it.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its library's crate name.
    pub crate_name: String,
    /// Its library's root file.
    pub source: PathBuf,
    /// Its features.
    pub features: BTreeSet<String>,
    /// Where it stands in this repository.
    pub folder: Folder,
}

/// Where a package stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folder {
    /// `kernel/`.
    Kernel,
    /// `components/`.
    Components,
    /// `applications/`.
    Applications,
    /// Elsewhere in this repository, such as `tools/`.
    Other,
    /// Outside: a package of others.
    ThirdParty,
}

impl Folder {
    /// Whether the package belongs to this repository.
    pub fn is_first_party(self) -> bool {
        self != Self::ThirdParty
    }

    fn of(manifest: &Path, root: &Path, member: bool) -> Self {
        if !member {
            return Self::ThirdParty;
        }
        let first = manifest
            .strip_prefix(root)
            .ok()
            .and_then(|path| path.iter().next());
        match first.and_then(|name| name.to_str()) {
            Some("kernel") => Self::Kernel,
            Some("components") => Self::Components,
            Some("applications") => Self::Applications,
            _ => Self::Other,
        }
    }
}

#[derive(Deserialize)]
struct RawMetadata {
    packages: Vec<RawPackage>,
    workspace_members: BTreeSet<String>,
    workspace_root: PathBuf,
    resolve: RawResolve,
}

#[derive(Deserialize)]
struct RawPackage {
    id: String,
    name: String,
    version: String,
    manifest_path: PathBuf,
    targets: Vec<RawTarget>,
    features: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct RawTarget {
    name: String,
    kind: Vec<String>,
    src_path: PathBuf,
}

#[derive(Deserialize)]
struct RawResolve {
    nodes: Vec<RawNode>,
}

#[derive(Deserialize)]
struct RawNode {
    id: String,
    deps: Vec<RawDependency>,
}

#[derive(Deserialize)]
struct RawDependency {
    pkg: String,
    dep_kinds: Vec<RawKind>,
}

#[derive(Deserialize)]
struct RawKind {
    kind: Option<String>,
}

impl Workspace {
    /// Asks cargo about the workspace at `root`.
    ///
    /// # Errors
    ///
    /// When cargo does not run, fails, or answers in a form that is not understood.
    pub fn read(root: &Path) -> Result<Self> {
        let output = Command::new("cargo")
            .args([
                "metadata",
                "--format-version",
                "1",
                "--filter-platform",
                crate::toolchain::TARGET,
            ])
            .current_dir(root)
            .output()
            .map_err(Error::io("run", Path::new("cargo")))?;
        if !output.status.success() {
            return Err(Error::Program {
                program: "cargo metadata".into(),
                message: String::from_utf8_lossy(&output.stderr).into_owned(),
            });
        }
        let raw: RawMetadata = serde_json::from_slice(&output.stdout)
            .map_err(|error| Error::Toolchain(format!("cargo metadata: {error}")))?;
        Ok(Self::from_raw(raw))
    }

    fn from_raw(raw: RawMetadata) -> Self {
        let root = raw.workspace_root;
        let mut packages = BTreeMap::new();
        for package in raw.packages {
            let member = raw.workspace_members.contains(&package.id);
            let folder = Folder::of(&package.manifest_path, &root, member);
            let library = package.targets.into_iter().find(|target| {
                target
                    .kind
                    .iter()
                    .any(|kind| kind == "lib" || kind == "rlib")
            });
            let Some(library) = library else { continue };
            packages.insert(
                package.id.clone(),
                Package {
                    id: package.id,
                    name: package.name,
                    version: package.version,
                    crate_name: library.name.replace('-', "_"),
                    source: library.src_path,
                    features: package.features.into_keys().collect(),
                    folder,
                },
            );
        }
        let dependencies = raw.resolve.nodes.into_iter().map(|node| {
            let normal = node
                .deps
                .into_iter()
                .filter(|dependency| dependency.dep_kinds.iter().any(|kind| kind.kind.is_none()));
            (node.id, normal.map(|dependency| dependency.pkg).collect())
        });
        Self {
            dependencies: dependencies.collect(),
            packages,
            root,
        }
    }

    /// The package with this id.
    pub fn package(&self, id: &str) -> Option<&Package> {
        self.packages.get(id)
    }

    /// All packages, ordered by id.
    pub fn packages(&self) -> impl Iterator<Item = &Package> {
        self.packages.values()
    }

    /// The first-party package with this crate name.
    pub fn first_party(&self, crate_name: &str) -> Option<&Package> {
        self.packages()
            .find(|package| package.folder.is_first_party() && package.crate_name == crate_name)
    }

    /// The ids of `id` and of everything that it is built from.
    pub fn closure(&self, id: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut open = vec![id.to_owned()];
        while let Some(id) = open.pop() {
            if found.insert(id.clone()) {
                open.extend(self.dependencies.get(&id).into_iter().flatten().cloned());
            }
        }
        found
    }
}
