//! What cargo's own tools find.

use crate::{Complaints, workspace::Workspace};
use std::process::Command;

/// Lines of a tool's output that are shown.
const SHOWN: usize = 120;

/// `cargo fmt`.
pub fn format(_: &Workspace) -> Complaints {
    run(
        Command::new("cargo").args(["fmt", "--all", "--check"]),
        "run `cargo fmt --all`",
    )
}

/// `cargo clippy` with every warning an error: libraries and programs, then the tests of the crates
/// that have any, then the second builds.
///
/// Not `--all-targets`: a test program of a component that defines the panic handler or the
/// allocator would have two of them.
pub fn lints(workspace: &Workspace) -> Complaints {
    let mut complaints = clippy(&["--workspace", "--lib", "--bins"]);
    let tested = tested_packages(workspace);
    let mut tests = vec!["--tests"];
    tests.extend(tested.iter().flat_map(|name| ["-p", name.as_str()]));
    complaints.extend(clippy(&tests));
    for (feature, names) in &workspace.manifest.alternates {
        for name in names {
            complaints.extend(clippy(&["-p", name, "--features", feature]));
        }
    }
    complaints
}

/// `rustdoc` with every warning an error.
pub fn documentation(_: &Workspace) -> Complaints {
    let mut command = Command::new("cargo");
    command.args([
        "doc",
        "--quiet",
        "--workspace",
        "--no-deps",
        "--document-private-items",
    ]);
    run(
        with_component_settings(&mut command).env("RUSTDOCFLAGS", "-Dwarnings"),
        "",
    )
}

/// The crates that have unit tests or a folder of tests.
pub fn tested_packages(workspace: &Workspace) -> Vec<String> {
    let has_tests = |folder: &std::path::Path| {
        workspace
            .files_with("rs")
            .filter(|file| file.starts_with(folder))
            .any(|file| workspace.text(file).contains("#[test]"))
    };
    let packages = workspace.packages.iter();
    packages
        .filter(|(_, p)| has_tests(&p.folder))
        .map(|(name, _)| name.clone())
        .collect()
}

fn clippy(arguments: &[&str]) -> Complaints {
    let mut command = Command::new("cargo");
    command
        .args(["clippy", "--quiet"])
        .args(arguments)
        .args(["--", "-Dwarnings"]);
    run(with_component_settings(&mut command), "")
}

/// The image builder tells components the mangled names of the allocator's hooks; a check of their
/// sources needs some name.
fn with_component_settings(command: &mut Command) -> &mut Command {
    command
        .env(
            "STRAKE_ALLOC_ERROR_HANDLER",
            "strake_check_alloc_error_handler",
        )
        .env("STRAKE_NO_ALLOC_SHIM", "strake_check_no_alloc_shim")
}

fn run(command: &mut Command, advice: &str) -> Complaints {
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => return vec![format!("{command:?} does not start: {error}")],
    };
    if output.status.success() {
        return Vec::new();
    }
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let mut complaints: Complaints = text.lines().take(SHOWN).map(str::to_owned).collect();
    if text.lines().count() > SHOWN {
        complaints.push("…".into());
    }
    if !advice.is_empty() {
        complaints.push(advice.into());
    }
    complaints
}
