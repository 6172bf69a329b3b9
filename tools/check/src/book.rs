//! Links of the book and of the README lead somewhere, and every page is in the table of contents.

use crate::{Complaints, workspace::Workspace};
use std::{
    collections::BTreeSet,
    path::{Component, Path, PathBuf},
};

const SUMMARY: &str = "book/src/SUMMARY.md";

/// Checks every Markdown file under version control.
pub fn check(workspace: &Workspace) -> Complaints {
    let mut complaints = Complaints::new();
    for file in workspace.files_with("md") {
        let text = workspace.text(file);
        for target in links(&text).into_iter().chain(includes(&text)) {
            complaints.extend(dead(workspace, file, &target));
        }
    }
    let summary = workspace.text(Path::new(SUMMARY));
    let listed: BTreeSet<PathBuf> = links(&summary)
        .iter()
        .map(|link| Path::new("book/src").join(link))
        .map(|p| plain(&p))
        .collect();
    for page in workspace
        .files_with("md")
        .filter(|file| file.starts_with("book/src"))
    {
        if page != Path::new(SUMMARY) && !listed.contains(page) {
            complaints.push(format!("{}: not in {SUMMARY}", page.display()));
        }
        if workspace
            .text(page)
            .lines()
            .filter(|line| !line.trim().is_empty())
            .count()
            < 3
        {
            complaints.push(format!("{}: a page without contents", page.display()));
        }
    }
    complaints
}

fn dead(workspace: &Workspace, file: &Path, link: &str) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = link
        .split_once('#')
        .map_or((link, None), |(path, a)| (path, Some(a)));
    let folder = file.parent().unwrap_or(Path::new(""));
    let target = if path.is_empty() {
        file.to_owned()
    } else {
        plain(&folder.join(path))
    };
    if !workspace.root.join(&target).exists() {
        return Some(format!(
            "{}: link to {link}, which does not exist",
            file.display()
        ));
    }
    let anchor = anchor?;
    if target.extension().is_none_or(|extension| extension != "md") {
        return None;
    }
    let found = headings(&workspace.text(&target)).contains(anchor);
    (!found).then(|| {
        format!(
            "{}: link to {link}, but there is no such heading",
            file.display()
        )
    })
}

/// The path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

/// Lines outside code blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut code = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        !code && !fence
    })
}

/// Targets of `[text](target)`.
fn links(text: &str) -> Vec<String> {
    let mut links = Vec::new();
    for line in prose(text) {
        let line = without_code(line);
        let mut rest = line.as_str();
        while let Some((_, after)) = rest.split_once("](") {
            let (target, later) = after.split_once(')').unwrap_or((after, ""));
            links.push(
                target
                    .split_whitespace()
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
            );
            rest = later;
        }
    }
    links
}

/// The line without what stands between backticks.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("`")
}

/// Files that mdBook includes, code blocks being the usual place.
fn includes(text: &str) -> Vec<String> {
    let parts = text
        .split("{{#")
        .skip(1)
        .filter_map(|part| part.split_once("}}"));
    parts
        .filter_map(|(directive, _)| {
            let (name, target) = directive.split_once(' ')?;
            let wanted = matches!(name, "include" | "rustdoc_include" | "playground");
            wanted.then(|| {
                target
                    .split(':')
                    .next()
                    .unwrap_or_default()
                    .trim()
                    .to_owned()
            })
        })
        .collect()
}

/// The anchors of a page's headings, as mdBook makes them.
fn headings(text: &str) -> BTreeSet<String> {
    let lines = prose(text).filter(|line| line.starts_with('#'));
    lines
        .map(|line| {
            let title = line.trim_start_matches('#').trim();
            let kept = title
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.collect::<String>().to_lowercase().replace(' ', "-")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_outside_code() {
        let text =
            "see [a](a.md) and [b](b.md#x)\n```\n[no](no.md)\n```\n`[no](no)` [c](https://c)";
        assert_eq!(links(text), ["a.md", "b.md#x", "https://c"]);
    }

    #[test]
    fn headings_become_anchors() {
        let found = headings("# Linking at run time\n## `push`: the *wire*\n");
        assert!(found.contains("linking-at-run-time"));
        assert!(found.contains("push-the-wire"));
    }

    #[test]
    fn included_files_are_found() {
        assert_eq!(includes("{{#include ../../x.rs:anchor}}"), ["../../x.rs"]);
    }
}
