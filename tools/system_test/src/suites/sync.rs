//! Locks and channels as code inside the system sees them, checked by a fixture.

use crate::{
    failure::{Verdict, contains, ensure},
    fixtures,
    guest::Guest,
    plan::{Suite, Tests},
};
use runner::Machine;
use std::time::Duration;

pub(crate) const SUITE: Suite = Suite {
    name: "sync",
    tests: Tests::Own(&[
        ("every_check_of_the_probe_holds", |_| probe(1)),
        ("every_check_of_the_probe_holds_on_2_cpus", |_| probe(2)),
        ("every_check_of_the_probe_holds_on_4_cpus", |_| probe(4)),
    ]),
};

/// How long all checks may take under emulation.
const LIMIT: Duration = Duration::from_secs(180);

fn probe(processors: u32) -> Verdict {
    let machine = fixtures::exclusively(|tree| tree.machine())?;
    let mut guest = Guest::boot(Machine {
        processors,
        ..machine
    })?;
    let output = guest.run_within("sync_probe", LIMIT)?;
    let failed: Vec<&str> = output
        .lines()
        .filter(|line| line.contains(": FAILED: "))
        .collect();
    ensure(failed.is_empty(), || failed.join("; "))?;
    contains(&output, " ok, 0 failed")
}
