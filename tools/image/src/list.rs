//! What a build consists of, as a table or as JSON.

use crate::members::{Candidate, Members};
use linker::format::metadata;
use serde::Serialize;
use std::fmt::Write as _;

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    version: &'a str,
    variant: &'a str,
    exact_id: &'a str,
    content_id: &'a str,
    text: u64,
    rodata: u64,
    data: u64,
    flags: Vec<&'static str>,
    dependencies: Vec<&'a str>,
}

/// The members as one JSON array on one line.
pub fn json(members: &Members) -> String {
    let rows: Vec<Row<'_>> = (0..members.list.len())
        .map(|index| row(members, index))
        .collect();
    // The rows have neither maps with odd keys nor fallible fields.
    serde_json::to_string(&rows).unwrap_or_default()
}

/// The members as a table for people.
pub fn table(members: &Members) -> String {
    let mut out = format!(
        "{:<28} {:<10} {:>8} {:>8} {:>7}  {:<16} {}\n",
        "NAME", "VERSION", "TEXT", "RODATA", "DATA", "CONTENT ID", "FLAGS"
    );
    for member in &members.list {
        let summary = &member.cached.summary;
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "{:<28} {:<10} {:>8} {:>8} {:>7}  {:<16} {}",
            member.unit.file_name(),
            member.unit.version,
            summary.sizes.text,
            summary.sizes.rodata,
            summary.sizes.data,
            summary.ids.content.get(..16).unwrap_or_default(),
            flags(member).join(" ")
        );
    }
    out
}

fn row(members: &Members, index: usize) -> Row<'_> {
    let member = &members.list[index];
    let summary = &member.cached.summary;
    let dependencies = members.dependencies[index].iter();
    Row {
        name: &member.unit.name,
        version: &member.unit.version,
        variant: &member.unit.variant,
        exact_id: &summary.ids.exact,
        content_id: &summary.ids.content,
        text: summary.sizes.text,
        rodata: summary.sizes.rodata,
        data: summary.sizes.data,
        flags: flags(member),
        dependencies: dependencies
            .map(|&index| members.list[index].unit.name.as_str())
            .collect(),
    }
}

fn flags(member: &Candidate) -> Vec<&'static str> {
    const NAMES: [(u32, &str); 6] = [
        (metadata::FIRST_PARTY, "first-party"),
        (metadata::PREBUILT, "prebuilt"),
        (metadata::APPLICATION, "application"),
        (metadata::UNSAFE_GRANTED, "unsafe"),
        (metadata::UNSAFE_FORBIDDEN, "forbids-unsafe"),
        (metadata::STATE_NOT_TRANSFERABLE, "state-not-transferable"),
    ];
    let flags = member.cached.summary.flags;
    NAMES
        .iter()
        .filter(|(flag, _)| flags & flag != 0)
        .map(|&(_, name)| name)
        .collect()
}
