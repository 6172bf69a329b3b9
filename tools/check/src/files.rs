//! What a file may look like.

use crate::{Complaints, workspace::Workspace};
use std::{path::Path, process::Command};

/// Most lines of a source file.
const MOST_LINES: usize = 1000;
/// Most lines of the Makefile: its logic belongs in `tools`.
const MOST_MAKEFILE_LINES: usize = 249;

/// Sizes, left-over notes, paths of somebody's machine, lints not opted into, broken scripts.
pub fn check(workspace: &Workspace) -> Complaints {
    let mut complaints = Complaints::new();
    for file in &workspace.files {
        let text = workspace.text(file);
        complaints.extend(length(file, text.lines().count()));
        complaints.extend(text.lines().zip(1..).filter_map(|(line, number)| {
            let word = unwanted(line)?;
            Some(format!("{}:{number}: contains {word}", file.display()))
        }));
    }
    for (name, package) in &workspace.packages {
        if !workspace
            .text(&package.folder.join("Cargo.toml"))
            .contains("[lints]\nworkspace = true")
        {
            complaints.push(format!("{name}: does not opt into the workspace's lints"));
        }
        for root in &package.roots {
            if !workspace.text(root).starts_with("//!") {
                complaints.push(format!(
                    "{}: does not say what the crate is",
                    root.display()
                ));
            }
        }
    }
    complaints.extend(scripts(workspace));
    complaints
}

fn length(file: &Path, lines: usize) -> Option<String> {
    let most = match file.file_name().and_then(|name| name.to_str()) {
        Some("Makefile") => MOST_MAKEFILE_LINES,
        Some(name) if name.ends_with(".rs") => MOST_LINES,
        _ => return None,
    };
    (lines > most).then(|| format!("{}: {lines} lines, most is {most}", file.display()))
}

/// A word that says that something is unfinished, or a folder that only one machine has.
fn unwanted(line: &str) -> Option<&'static str> {
    // Written so that this file passes its own check.
    const NOTES: [&str; 3] = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
    ];
    const FOLDERS: [&str; 3] = [
        concat!("/ro", "ot/"),
        concat!("/wo", "rk/"),
        concat!("/ho", "me/"),
    ];
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let notes = NOTES
        .into_iter()
        .find(|note| line.split(|c| !is_name(c)).any(|word| word == *note));
    notes.or_else(|| {
        FOLDERS.into_iter().find(|folder| {
            line.match_indices(folder).any(|(at, _)| {
                !line
                    .get(..at)
                    .unwrap_or_default()
                    .ends_with(|c: char| is_name(c) || c == '.' || c == '}')
            })
        })
    })
}

fn scripts(workspace: &Workspace) -> Complaints {
    let scripts = workspace.files_with("sh").chain([Path::new(".ci/run")]);
    scripts
        .filter_map(|file| {
            let output = Command::new("sh")
                .arg("-n")
                .arg(workspace.root.join(file))
                .output()
                .ok()?;
            let message = String::from_utf8_lossy(&output.stderr).into_owned();
            (!output.status.success()).then(|| format!("{}: {message}", file.display()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_and_machine_paths_are_found() {
        assert!(unwanted(concat!("// TO", "DO: later")).is_some());
        assert!(unwanted(concat!("cd /ro", "ot/strake")).is_some());
        assert_eq!(unwanted("the network/work/order"), None);
        assert_eq!(unwanted("let todo_list = 1;"), None);
    }
}
