//! The image with the fixtures, and pushes into systems that run it.

use crate::{
    failure::{Failure, contains, ensure},
    guest::Guest,
};
use runner::{Boot, Machine, machine::Artifacts};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// The manifest that adds the fixtures.
const MANIFEST: &str = "tools/system_test/fixtures/manifest.toml";
/// Where the image with the fixtures is built, from the root of the repository or of a copy.
const FOLDER: &str = "build/fixtures";
/// The variable that numbers the gadget's builds.
const NUMBER: &str = "STRAKE_GADGET_BUILD";

/// A tree whose image has the fixtures: the repository itself or a copy that a test edits.
pub(crate) struct Tree {
    root: PathBuf,
}

impl Tree {
    /// The tree at `root`.
    pub(crate) fn at(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// Builds the image, with build 1 of the gadget, and returns a machine that boots it.
    pub(crate) fn machine(&self) -> Result<Machine, Failure> {
        self.tool("image", 1)
            .args(["build", "--extra-manifest", MANIFEST, "--out", FOLDER])
            .output()
            .map_err(|error| Failure::Wrong(format!("running the image builder: {error}")))
            .and_then(|output| {
                let errors = String::from_utf8_lossy(&output.stderr).into_owned();
                ensure(output.status.success(), || errors)
            })?;
        let folder = self.root.join(FOLDER);
        Ok(Machine {
            boot: Boot::Direct,
            artifacts: Artifacts {
                iso: folder.join("strake.iso"),
                nucleus: folder.join("nucleus.elf"),
                archive: folder.join("strake.archive"),
            },
            ..Machine::default()
        })
    }

    /// Rebuilds with the gadget numbered `number` and pushes what changed to `socket`; the report.
    pub(crate) fn push(&self, socket: &Path, number: u32) -> Result<Value, Failure> {
        let socket = std::path::absolute(socket)
            .map_err(|error| Failure::Wrong(format!("{}: {error}", socket.display())))?;
        let output = self
            .tool("strake", number)
            .args([
                "push",
                "--json",
                "--extra-manifest",
                MANIFEST,
                "--out",
                FOLDER,
                "--socket",
            ])
            .arg(socket)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| Failure::Wrong(format!("running the push: {error}")))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let report = text
            .lines()
            .find(|line| line.starts_with('{'))
            .unwrap_or_default();
        serde_json::from_str(report).map_err(|_| {
            let errors = String::from_utf8_lossy(&output.stderr);
            Failure::Wrong(format!("a push without a report: {text}{errors}"))
        })
    }

    fn tool(&self, name: &str, number: u32) -> Command {
        let own = std::env::current_exe().unwrap_or_default();
        let mut command = Command::new(own.with_file_name(name));
        command
            .current_dir(&self.root)
            .env(NUMBER, number.to_string());
        command
    }
}

/// Runs `body` alone among the tests that build in the repository, whose folder they share.
pub(crate) fn exclusively<T>(body: impl FnOnce(&Tree) -> T) -> T {
    static FOLDER_IN_USE: Mutex<()> = Mutex::new(());
    let _guard = FOLDER_IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
    body(&Tree::at(Path::new(".")))
}

/// Boots the image with the fixtures, on a machine as `adapt` wants it, and runs a probe, all of whose
/// checks must hold. The system, and what the probe printed.
pub(crate) fn probe(
    name: &str,
    limit: Duration,
    adapt: impl FnOnce(Machine) -> Machine,
) -> Result<(Guest, String), Failure> {
    let machine = exclusively(|tree| tree.machine())?;
    let mut guest = Guest::boot(adapt(machine))?;
    let output = guest.run_within(name, limit)?;
    let failed: Vec<&str> = output
        .lines()
        .filter(|line| line.contains(": FAILED: "))
        .collect();
    ensure(failed.is_empty(), || failed.join("; "))?;
    contains(&output, " ok, 0 failed")?;
    Ok((guest, output))
}
