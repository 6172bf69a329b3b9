//! The workspace as cargo sees it.

use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs, io,
    path::{Path, PathBuf},
    process::Command,
};

/// The first-party crates and the files that say what is allowed.
pub struct Workspace {
    /// The root folder.
    pub root: PathBuf,
    /// The first-party crates, by name.
    pub packages: BTreeMap<String, Package>,
    /// `cfg/components.toml`.
    pub manifest: Manifest,
    /// `cfg/layers.toml`.
    pub rules: Rules,
    /// Every file under version control, from the root.
    pub files: Vec<PathBuf>,
}

/// A first-party crate.
pub struct Package {
    /// Its folder, from the root.
    pub folder: PathBuf,
    /// Root files of its libraries and programs, from the root.
    pub roots: Vec<PathBuf>,
    /// First-party crates that it depends on, tests aside.
    pub dependencies: BTreeSet<String>,
}

/// What the system tests add to the manifest.
const FIXTURES: &str = "tools/system_test/fixtures/manifest.toml";

/// What the checks want of `cfg/components.toml`, and of what the system tests add to it.
#[derive(Deserialize)]
pub struct Manifest {
    /// Crates that may use `unsafe`.
    #[serde(default, rename = "unsafe")]
    pub grants: BTreeMap<String, String>,
    /// Second builds: the feature and the crates.
    #[serde(default)]
    pub alternates: BTreeMap<String, Vec<String>>,
}

/// `cfg/layers.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// Folders, lowest first.
    pub layers: Vec<String>,
    /// Most crates on one path of dependencies.
    pub longest_chain: usize,
    /// Crates that nobody may depend on, with the reason.
    pub implementations: BTreeMap<String, String>,
}

/// Why the workspace cannot be read.
#[derive(Debug)]
pub enum WorkspaceError {
    /// A program does not start or fails.
    Program {
        /// Its name.
        program: &'static str,
        /// What it said.
        message: String,
    },
    /// A file cannot be read.
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file, or a program's output, is not what it should be.
    Syntax {
        /// Which.
        what: &'static str,
        /// What is wrong.
        message: String,
    },
}

impl fmt::Display for WorkspaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program { program, message } => write!(f, "{program}: {message}"),
            Self::File { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Syntax { what, message } => write!(f, "{what}: {message}"),
        }
    }
}

impl std::error::Error for WorkspaceError {}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<RawPackage>,
    workspace_root: PathBuf,
}

#[derive(Deserialize)]
struct RawPackage {
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<RawDependency>,
    targets: Vec<RawTarget>,
}

#[derive(Deserialize)]
struct RawDependency {
    name: String,
    kind: Option<String>,
    path: Option<PathBuf>,
}

#[derive(Deserialize)]
struct RawTarget {
    kind: Vec<String>,
    src_path: PathBuf,
}

impl Workspace {
    /// Reads the workspace that the current folder belongs to.
    ///
    /// # Errors
    ///
    /// When cargo or git fails, or a file of `cfg` is not there or is wrong.
    pub fn read() -> Result<Self, WorkspaceError> {
        let text = output("cargo", &["metadata", "--no-deps", "--format-version", "1"])?;
        let metadata: Metadata =
            serde_json::from_str(&text).map_err(|error| syntax("cargo metadata", &error))?;
        let root = metadata.workspace_root;
        let packages = metadata
            .packages
            .into_iter()
            .map(|raw| package(raw, &root))
            .collect();
        let files = output("git", &["ls-files", "--full-name", ":/"])?;
        let mut manifest: Manifest = read_toml(&root, "cfg/components.toml")?;
        manifest
            .grants
            .extend(read_toml::<Manifest>(&root, FIXTURES)?.grants);
        Ok(Self {
            packages,
            manifest,
            rules: read_toml(&root, "cfg/layers.toml")?,
            // What is deleted but not yet committed is still listed.
            files: files
                .lines()
                .map(PathBuf::from)
                .filter(|file| root.join(file).exists())
                .collect(),
            root,
        })
    }

    /// The contents of a file under version control; empty if it cannot be read as text.
    #[must_use]
    pub fn text(&self, file: &Path) -> String {
        fs::read_to_string(self.root.join(file)).unwrap_or_default()
    }

    /// The files with this extension.
    pub fn files_with<'a>(&'a self, extension: &'a str) -> impl Iterator<Item = &'a Path> {
        let files = self.files.iter().map(PathBuf::as_path);
        files.filter(move |file| file.extension().is_some_and(|e| e == extension))
    }
}

fn package(raw: RawPackage, root: &Path) -> (String, Package) {
    let relative = |path: &Path| path.strip_prefix(root).unwrap_or(path).to_owned();
    let folder = raw.manifest_path.parent().map(relative).unwrap_or_default();
    let roots = raw.targets.iter().filter(|target| {
        target
            .kind
            .iter()
            .any(|kind| matches!(kind.as_str(), "lib" | "bin" | "rlib"))
    });
    let dependencies = raw.dependencies.iter().filter(|dependency| {
        dependency.path.is_some() && dependency.kind.as_deref() != Some("dev")
    });
    let package = Package {
        folder,
        roots: roots.map(|target| relative(&target.src_path)).collect(),
        dependencies: dependencies
            .map(|dependency| dependency.name.clone())
            .collect(),
    };
    (raw.name, package)
}

fn read_toml<T: serde::de::DeserializeOwned>(
    root: &Path,
    name: &'static str,
) -> Result<T, WorkspaceError> {
    let path = root.join(name);
    let text = fs::read_to_string(&path).map_err(|source| WorkspaceError::File { path, source })?;
    toml::from_str(&text).map_err(|error| syntax(name, &error))
}

fn syntax(what: &'static str, error: &dyn fmt::Display) -> WorkspaceError {
    WorkspaceError::Syntax {
        what,
        message: error.to_string(),
    }
}

fn output(program: &'static str, arguments: &[&str]) -> Result<String, WorkspaceError> {
    let failed = |message: String| WorkspaceError::Program { program, message };
    let output = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
