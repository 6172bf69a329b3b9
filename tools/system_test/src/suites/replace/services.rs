//! The log and the console, replaced by pushes while they are in use.

use super::{SLACK, Workshop, memory};
use crate::{
    copy,
    failure::{Failure, Verdict, contains, ensure},
    guest::Guest,
    plan::Options,
};
use std::path::Path;

/// What marks a line of error output.
const MARK: (&str, &str) = (
    "components/services/console/src/output.rs",
    "} else {\n    b\"\"\n}",
);

/// How a record is written.
const LINE: (&str, &str) = (
    "components/services/klog/src/record.rs",
    "\"[{seconds:5}.{micros:06}] {level:<5} ",
);

pub(super) fn all(options: &Options) -> Verdict {
    copy::with(|root| {
        let mut guest = Guest::boot(Workshop::at(root).tree.machine()?)?;
        // Another task keeps the processor busy, so that pushes are preempted everywhere.
        guest.run("gadget_loop &")?;
        let first = first_record(&mut guest)?;
        let before = memory(&mut guest)?;
        for number in 1..=options.rounds(4, 200) {
            push(root, &mut guest, number)
                .map_err(|failure| Failure::Wrong(format!("push {number}: {failure}")))?;
        }
        let after = memory(&mut guest)?;
        let (grown, retired) = (after.used - before.used, after.retired - before.retired);
        ensure(grown <= retired + SLACK, || {
            format!("memory grew by {grown} bytes, of which {retired} are retired")
        })?;
        contains(&first_record(&mut guest)?, &first)
    })
}

fn push(root: &Path, guest: &mut Guest, number: u32) -> Verdict {
    let workshop = Workshop::at(root);
    let mark = format!("}} else {{\n    b\"build {number}> \"\n}}");
    let line = LINE.1.replacen('"', &format!("\"build {number} "), 1);
    let console = workshop.edit(MARK.0, MARK.1, &mark)?;
    let klog = workshop.edit(LINE.0, LINE.1, &line)?;
    let report = workshop.tree.push(&guest.second_port(), 1);
    workshop.restore(MARK.0, &console)?;
    workshop.restore(LINE.0, &klog)?;
    let report = report?;
    ensure(report["ok"] == true, || report.to_string())?;
    contains(&guest.run("no_such_command")?, &format!("build {number}> "))?;
    contains(&guest.run("log -n 1")?, &format!("build {number} ["))
}

/// The message of the oldest record, which has to outlive every build.
fn first_record(guest: &mut Guest) -> Result<String, Failure> {
    let log = guest.json("log --json")?;
    let message = log["records"][0]["message"].as_str();
    message
        .map(str::to_owned)
        .ok_or_else(|| Failure::Wrong(format!("no record in {log}")))
}
