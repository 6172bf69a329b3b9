//! What cargo's own tools find.

use crate::{Complaints, workspace::Workspace};
use std::process::Command;

/// Where the crates are that only the system tests load.
const FIXTURES: &str = "tools/system_test/fixtures";

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
/// Components and host programs are asked for apart: together, cargo gives a crate that both use the
/// features of both, and a component with `std` below it has two panic handlers. For the same
/// reason not `--all-targets`: a test program of a component that defines the panic handler or the
/// allocator would have two of them.
pub fn lints(workspace: &Workspace) -> Complaints {
    let mut complaints = Complaints::new();
    let tested = tested_packages(workspace);
    for side in sides(workspace) {
        complaints.extend(clippy(&with_packages(&["--lib", "--bins"], &side)));
        let tested: Vec<&str> = side
            .iter()
            .copied()
            .filter(|name| tested.iter().any(|it| it == name))
            .collect();
        complaints.extend(clippy(&with_packages(&["--tests"], &tested)));
    }
    for (feature, names) in &workspace.manifest.alternates {
        for name in names {
            complaints.extend(clippy(&["-p", name, "--features", feature]));
        }
    }
    complaints
}

/// The packages that run in the system, and those that run on the host.
fn sides(workspace: &Workspace) -> [Vec<&str>; 2] {
    let (host, system) = workspace
        .packages
        .iter()
        .partition::<Vec<_>, _>(|(_, package)| {
            package.folder.starts_with("tools") && !package.folder.starts_with(FIXTURES)
        });
    let names = |side: Vec<(_, _)>| {
        side.into_iter()
            .map(|(name, _): (&String, _)| name.as_str())
            .collect()
    };
    [names(system), names(host)]
}

fn with_packages<'a>(arguments: &[&'a str], packages: &[&'a str]) -> Vec<&'a str> {
    let packages = packages.iter().flat_map(|name| ["-p", *name]);
    arguments.iter().copied().chain(packages).collect()
}

/// `rustdoc` with every warning an error.
pub fn documentation(workspace: &Workspace) -> Complaints {
    let document = |side: Vec<&str>| {
        let mut command = Command::new("cargo");
        command.args([
            "doc",
            "--quiet",
            "--keep-going",
            "--no-deps",
            "--document-private-items",
        ]);
        command.args(with_packages(&[], &side));
        run(
            with_component_settings(&mut command).env("RUSTDOCFLAGS", "-Dwarnings"),
            "",
        )
    };
    sides(workspace).into_iter().flat_map(document).collect()
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
        .args(["clippy", "--quiet", "--keep-going"])
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
