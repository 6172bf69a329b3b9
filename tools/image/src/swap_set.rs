//! The swap set: what of a new build has to be sent to a system that runs another one.

use crate::members::Members;
use std::collections::BTreeSet;

/// A component that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Its name.
    pub name: String,
    /// Its exact id.
    pub exact_id: u128,
    /// Its content id.
    pub content_id: u128,
}

/// What to send; all are indices of members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SwapSet {
    /// Components that run in another form: replaced.
    pub replaced: Vec<usize>,
    /// Components that the replaced ones import from and that the running system does not know.
    pub added: Vec<usize>,
    /// Components that differ in the lines of panic locations only: they stay as they are.
    pub stale_lines: Vec<usize>,
}

/// Compares the build `members` with what runs. `wanted`, when given, is replaced even when only its
/// lines differ.
///
/// `known` tells whether the running system can load a component by itself, from its own archive.
pub fn swap_set(
    members: &Members,
    running: &[Running],
    wanted: Option<&str>,
    known: impl Fn(&str) -> bool,
) -> SwapSet {
    let mut set = SwapSet::default();
    for component in running {
        let Some(index) = members.find(&component.name) else {
            continue;
        };
        let ids = members.list[index].cached.summary.ids.ids();
        let by_name = wanted == Some(component.name.as_str());
        if ids.exact == component.exact_id {
            continue;
        }
        if ids.content != component.content_id || by_name {
            set.replaced.push(index);
        } else {
            set.stale_lines.push(index);
        }
    }
    set.replaced.sort_unstable();
    set.stale_lines.sort_unstable();
    set.added = added(members, &set.replaced, running, known);
    set
}

/// What `replaced` import from, to any depth, and the running system does not have.
fn added(
    members: &Members,
    replaced: &[usize],
    running: &[Running],
    known: impl Fn(&str) -> bool,
) -> Vec<usize> {
    let mut added = BTreeSet::new();
    let mut open = replaced.to_vec();
    while let Some(index) = open.pop() {
        for &dependency in &members.dependencies[index] {
            let name = &members.list[dependency].unit.name;
            let there = known(name) || running.iter().any(|component| component.name == *name);
            if !there && added.insert(dependency) {
                open.push(dependency);
            }
        }
    }
    added.into_iter().collect()
}
