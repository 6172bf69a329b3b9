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
    let rounds = rounds(guest)?;
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
    let on = self::rounds(guest)?;
    ensure(on > rounds, || {
        format!("{rounds} rounds before, {on} after")
    })
}

/// How many rounds the task in the background has made.
fn rounds(guest: &mut Guest) -> Result<u64, Failure> {
    let output = guest.run("cat /rounds")?;
    let rounds = output.trim().parse();
    rounds.map_err(|_| Failure::Wrong(format!("no number of rounds: {output:?}")))
}
