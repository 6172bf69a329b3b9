//! The file system, replaced by pushes while files are open.

use super::Workshop;
use crate::{
    copy,
    failure::{Failure, Verdict, contains, ensure, equal},
    guest::Guest,
    plan::Options,
};
use std::path::Path;

/// A message of the interface.
const MESSAGE: (&str, &str) = (
    "components/services/vfs/src/error.rs",
    "\"there is no such file or directory\"",
);

/// The name of the file system in memory, which only its own code knows.
const NAME: (&str, &str) = (
    "components/services/memory_file_system/src/volume.rs",
    "\"memory\"",
);

pub(super) fn all(options: &Options) -> Verdict {
    copy::with(|root| {
        let mut guest = Guest::boot(Workshop::at(root).tree.machine()?)?;
        guest.run("mkdir -p /kept/below; echo what stays > /kept/below/file")?;
        guest.run("cp -r /boot /kept/boot")?;
        let before = guest.run("ls -l /kept/boot /kept/below")?;
        guest.run("file_probe for_ever &")?;
        for number in 1..=options.rounds(2, 100) {
            push(root, &mut guest, number)
                .map_err(|failure| Failure::Wrong(format!("push {number}: {failure}")))?;
            equal(guest.run("cat /kept/below/file")?.as_str(), "what stays")?;
            equal(&guest.run("ls -l /kept/boot /kept/below")?, &before)?;
            equal(guest.run("/kept/boot/hello.o")?.as_str(), "Hello, world!")?;
        }
        contains(&guest.run("jobs")?, "running  file_probe for_ever")?;
        let (ok, output) = guest.succeeds("rm -r /kept")?;
        ensure(ok, || output)
    })
}

fn push(root: &Path, guest: &mut Guest, number: u32) -> Verdict {
    let workshop = Workshop::at(root);
    let message = format!("\"build {number} finds nothing\"");
    let name = format!("\"memory {number}\"");
    let errors = workshop.edit(MESSAGE.0, MESSAGE.1, &message)?;
    let volume = workshop.edit(NAME.0, NAME.1, &name)?;
    let rounds = rounds_after(guest, None)?;
    let report = workshop.tree.push(&guest.second_port(), 1);
    workshop.restore(MESSAGE.0, &errors)?;
    workshop.restore(NAME.0, &volume)?;
    let report = report?;
    ensure(report["ok"] == true, || report.to_string())?;
    for name in ["\"vfs\"", "\"memory_file_system\""] {
        contains(&report["swapped"].to_string(), name)?;
    }
    // What is mounted since the boot is served by the new code.
    contains(&guest.run("cat /nothing")?, &message.replace('"', ""))?;
    contains(&guest.run("df")?, &name.replace('"', ""))?;
    // Who had files open goes on.
    rounds_after(guest, Some(rounds)).map(drop)
}

/// How often it is looked whether the task in the background has gone on.
const LOOKS: u32 = 100;

/// How many rounds the task in the background has made, once it has made one, or more than `before`.
fn rounds_after(guest: &mut Guest, before: Option<u64>) -> Result<u64, Failure> {
    let mut output = String::new();
    for _ in 0..LOOKS {
        output = guest.run("cat /rounds")?;
        match output.trim().parse() {
            Ok(rounds) if Some(rounds) > before => return Ok(rounds),
            _ => guest.run("sleep 0.1")?,
        };
    }
    Err(Failure::Wrong(format!(
        "the task in the background stands still: after {before:?} rounds {output:?}"
    )))
}
