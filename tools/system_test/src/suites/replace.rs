//! Pushes into a running system: code that is in use, edits that must fit and edits that must not.

use crate::{
    copy,
    failure::{Failure, Verdict, contains, ensure, equal},
    fixtures::{self, Tree},
    guest::Guest,
    plan::{Options, Suite, Tests},
};
use runner::Machine;
use serde_json::Value;
use std::path::Path;

mod edits;
mod files;
mod holders;
mod services;

pub(crate) const SUITE: Suite = Suite {
    name: "replace",
    tests: Tests::Own(&[
        (
            "an_endless_loop_enters_every_build_by_five_ways",
            |options| endless_loop(options, 1, 12),
        ),
        ("an_endless_loop_enters_every_build_on_4_cpus", |options| {
            endless_loop(options, 4, 6)
        }),
        ("an_inlined_copy_in_a_loop_is_reported", inlined_copy),
    ]),
};

/// Edits in the copy of the repository, which the tutorials use too: so this comes late.
pub(crate) const EDITS: Suite = Suite {
    name: "edits",
    tests: Tests::Own(&[
        ("fit_or_are_refused_by_name", |_| edits::all()),
        ("never_mislead_holders_of_addresses", |_| holders::all()),
        (
            "of_log_and_console_arrive_while_they_are_in_use",
            services::all,
        ),
        ("of_file_systems_keep_open_files", files::all),
    ]),
};

/// What memory may grow by beside what is listed as retired.
const SLACK: i64 = 64 * 1024;

/// The ways in which the loop reaches the gadget.
const WAYS: [&str; 5] = ["plain", "pointer", "object", "callback", "twin"];

fn endless_loop(options: &Options, processors: u32, pushes: u32) -> Verdict {
    fixtures::exclusively(|tree| {
        let mut guest = Guest::boot(Machine {
            processors,
            ..tree.machine()?
        })?;
        guest.run("gadget_loop &")?;
        wait_for_build(&mut guest, 1)?;
        let before = memory(&mut guest)?;
        for number in 2..=options.rounds(pushes, 200) + 1 {
            let report = tree.push(&guest.second_port(), number)?;
            ensure(report["ok"] == true, || format!("push {number}: {report}"))?;
            contains(&report["swapped"].to_string(), "\"gadget\"")?;
            wait_for_build(&mut guest, u64::from(number))?;
        }
        let after = memory(&mut guest)?;
        let grown = after.used - before.used;
        let retired = after.retired - before.retired;
        ensure(grown <= retired + SLACK, || {
            format!("memory grew by {grown} bytes, of which {retired} are retired")
        })
    })
}

/// Waits until the loop has seen `number` by every way, and checks that it counts without a gap.
fn wait_for_build(guest: &mut Guest, number: u64) -> Verdict {
    let mut seen = Value::Null;
    // The loop is one of two tasks that want the processor; each command gives it some time slices.
    for _ in 0..50 {
        seen = guest.json("gadget_report")?;
        equal(&seen["gaps"], &Value::from(0))?;
        if WAYS.iter().all(|way| seen[*way] == number) {
            return Ok(());
        }
    }
    Err(Failure::Wrong(format!(
        "build {number} is not seen by every way: {seen}"
    )))
}

struct Memory {
    used: i64,
    retired: i64,
}

fn memory(guest: &mut Guest) -> Result<Memory, Failure> {
    let report = guest.json("mem --json")?;
    let field = |name: &str| {
        report[name]
            .as_i64()
            .ok_or_else(|| Failure::Wrong(format!("no {name} in {report}")))
    };
    Ok(Memory {
        used: field("used")?,
        retired: field("retired")?,
    })
}

fn inlined_copy(_: &Options) -> Verdict {
    fixtures::exclusively(|tree: &Tree| {
        let mut guest = Guest::boot(tree.machine()?)?;
        guest.run("gadget_inline_loop &")?;
        let report = tree.push(&guest.second_port(), 2)?;
        ensure(report["ok"] == true, || format!("{report}"))?;
        let swapped = report["swapped"].to_string();
        contains(&swapped, "gadget_inline_loop")?;
        let retired = report["in_retired"].to_string();
        contains(&retired, "gadget_inline_loop")
    })
}

/// A copy of the repository that a test edits.
struct Workshop<'a> {
    tree: Tree,
    root: &'a Path,
}

impl<'a> Workshop<'a> {
    fn at(root: &'a Path) -> Self {
        Self {
            tree: Tree::at(root),
            root,
        }
    }

    /// Replaces `old` by `new` in a file, and returns the file's contents before.
    fn edit(&self, file: &str, old: &str, new: &str) -> Result<String, Failure> {
        let path = self.root.join(file);
        let before = copy::read(&path)?;
        ensure(before.contains(old), || format!("{old:?} is not in {file}"))?;
        copy::write(&path, &before.replace(old, new))?;
        Ok(before)
    }

    fn restore(&self, file: &str, contents: &str) -> Verdict {
        copy::write(&self.root.join(file), contents)
    }
}
