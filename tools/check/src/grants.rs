//! `unsafe` only where the manifest grants it.

use crate::{Complaints, workspace::Workspace};
use std::path::Path;

/// Every first-party crate forbids `unsafe` at each of its roots, but those under `kernel/` and
/// those that the manifest names; those that it names use it.
pub fn check(workspace: &Workspace) -> Complaints {
    let mut complaints = Complaints::new();
    let grants = &workspace.manifest.grants;
    for (name, package) in &workspace.packages {
        if grants.contains_key(name) {
            if !uses_unsafe(workspace, &package.folder) {
                complaints.push(format!(
                    "{name} has a grant in cfg/components.toml but no unsafe code"
                ));
            }
            continue;
        }
        if package.folder.starts_with("kernel") {
            continue;
        }
        for root in &package.roots {
            if !forbids_unsafe(&workspace.text(root)) {
                complaints.push(format!(
                    "{}: neither `#![forbid(unsafe_code)]` nor a grant in cfg/components.toml",
                    root.display()
                ));
            }
        }
    }
    for name in grants.keys() {
        match workspace.packages.get(name) {
            None => complaints.push(format!(
                "cfg/components.toml grants unsafe to {name}, which does not exist"
            )),
            Some(package) if package.folder.starts_with("applications") => {
                complaints.push(format!(
                    "{name} is an application; applications have no unsafe code"
                ));
            }
            Some(_) => {}
        }
    }
    complaints
}

fn forbids_unsafe(text: &str) -> bool {
    text.lines()
        .any(|line| line.trim() == "#![forbid(unsafe_code)]")
}

fn uses_unsafe(workspace: &Workspace, folder: &Path) -> bool {
    workspace
        .files_with("rs")
        .filter(|file| file.starts_with(folder))
        .any(|file| code_lines(&workspace.text(file)).any(|line| has_word(line, "unsafe")))
}

fn code_lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(|line| line.split("//").next().unwrap_or_default())
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(|found| found == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_counts() {
        assert!(code_lines("let a = unsafe { f() };").any(|line| has_word(line, "unsafe")));
        assert!(code_lines("#[unsafe(naked)]").any(|line| has_word(line, "unsafe")));
        assert!(!code_lines("// unsafe").any(|line| has_word(line, "unsafe")));
        assert!(!code_lines("#![forbid(unsafe_code)]").any(|line| has_word(line, "unsafe")));
    }

    #[test]
    fn the_attribute_must_stand_alone() {
        assert!(forbids_unsafe(
            "//! A crate.\n#![no_std]\n#![forbid(unsafe_code)]\n"
        ));
        assert!(!forbids_unsafe("// #![forbid(unsafe_code)]\n"));
    }
}
