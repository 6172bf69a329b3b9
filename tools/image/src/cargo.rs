//! Runs cargo for the target crates and learns where it put each library.

use crate::{
    error::{Error, Result},
    files,
    toolchain::{FLAGS, PROFILE, TARGET, Toolchain},
    workspace::Workspace,
    wrapper,
};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Where cargo put the library of each package: by package id.
pub(crate) type Libraries = BTreeMap<String, PathBuf>;

/// What cargo is to build.
pub(crate) struct Invocation<'a> {
    /// The workspace.
    pub workspace: &'a Workspace,
    /// The toolchain.
    pub toolchain: &'a Toolchain,
    /// This program, which is also the rustc wrapper.
    pub program: &'a Path,
    /// What liballoc's allocator symbols begin with.
    pub allocator_prefix: &'a str,
    /// Folder for the libraries that cargo puts where the next invocation overwrites them.
    pub(crate) kept: PathBuf,
}

#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    package_id: String,
    #[serde(default)]
    filenames: Vec<PathBuf>,
    #[serde(default)]
    fresh: bool,
    #[serde(default)]
    target: Target,
}

#[derive(Default, Deserialize)]
struct Target {
    name: String,
}

impl Invocation<'_> {
    /// Builds `packages` (names) with `features` (each `package/feature`); tells `progress` each
    /// crate.
    ///
    /// # Errors
    ///
    /// When cargo cannot be run or a crate does not compile; the compiler has said why on stderr.
    pub(crate) fn run(
        &self,
        packages: &BTreeSet<String>,
        features: &[String],
        progress: &mut dyn FnMut(&str),
    ) -> Result<Libraries> {
        let mut command = self.command(packages, features);
        let cargo = Path::new("cargo");
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .map_err(Error::io("run", cargo))?;
        let mut libraries = Libraries::new();
        if let Some(output) = child.stdout.take() {
            for line in BufReader::new(output).lines() {
                let line = line.map_err(Error::io("read from", cargo))?;
                if let Ok(message) = serde_json::from_str::<Message>(&line) {
                    if message.reason == "compiler-artifact" && !message.fresh {
                        progress(&format!("compiled {}", message.target.name));
                    }
                    take_library(message, &mut libraries);
                }
            }
        }
        let status = child.wait().map_err(Error::io("wait for", cargo))?;
        if status.success() {
            return self.keep(libraries, features);
        }
        Err(Error::Program {
            program: "cargo build".into(),
            message: status.to_string(),
        })
    }

    /// Gives a second name to each library of a package that was asked for: cargo gives it a name
    /// without the features that it was built with, and all that depends on it likewise.
    fn keep(&self, libraries: Libraries, features: &[String]) -> Result<Libraries> {
        let variant = features.join("+").replace('/', "-");
        let folder = self.kept.join(if features.is_empty() {
            "default"
        } else {
            &variant
        });
        files::create_folder(&folder)?;
        let keep = |(id, library): (String, PathBuf)| {
            let name = library.file_name().unwrap_or_default();
            if library
                .parent()
                .is_some_and(|parent| parent.ends_with("deps"))
            {
                return Ok((id, library));
            }
            let kept = folder.join(name);
            files::link(&library, &kept)?;
            Ok((id, kept))
        };
        libraries.into_iter().map(keep).collect()
    }

    fn command(&self, packages: &BTreeSet<String>, features: &[String]) -> Command {
        let root = &self.workspace.root;
        let mut flags: Vec<String> = FLAGS.map(str::to_owned).to_vec();
        flags.extend(self.toolchain.remap_flags(root));
        let mut command = Command::new("cargo");
        command
            .current_dir(root)
            .args(["build", "--quiet", "--profile", PROFILE, "--target", TARGET])
            .arg("--message-format=json-render-diagnostics")
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
            .env("RUSTC_WRAPPER", self.program)
            .env(wrapper::MODE, "1")
            .env(
                "STRAKE_ALLOC_ERROR_HANDLER",
                self.allocator_symbol("26___rust_alloc_error_handler"),
            )
            .env(
                "STRAKE_NO_ALLOC_SHIM",
                self.allocator_symbol("35___rust_no_alloc_shim_is_unstable_v2"),
            );
        for package in packages {
            command.args(["-p", package]);
        }
        if !features.is_empty() {
            command.args(["--features", &features.join(",")]);
        }
        // What `cargo run` told this program about itself is not for the crates that it builds.
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
                command.env_remove(name.as_ref());
            }
        }
        command
    }

    fn allocator_symbol(&self, name: &str) -> String {
        format!("{}{name}", self.allocator_prefix)
    }
}

fn take_library(message: Message, libraries: &mut Libraries) {
    if message.reason != "compiler-artifact" {
        return;
    }
    // A build script's or procedural macro's library lies in the host's folder.
    let is = |file: &PathBuf, wanted: &str| {
        file.extension()
            .is_some_and(|extension| extension == wanted)
            && file.iter().any(|part| part == TARGET)
    };
    // A member's library lies under a name without hash too, which the next run with other features
    // takes away: the one beside the metadata stays.
    let hashed = message
        .filenames
        .iter()
        .find(|file| is(file, "rmeta"))
        .map(|file| file.with_extension("rlib"))
        .filter(|file| file.exists());
    let named = message.filenames.iter().find(|file| is(file, "rlib"));
    let library = named.map(|named| hashed.unwrap_or_else(|| named.clone()));
    if let Some(library) = library {
        libraries.insert(message.package_id, library);
    }
}
