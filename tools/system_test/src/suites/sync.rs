//! Locks and channels as code inside the system sees them, checked by a fixture.

use crate::{
    failure::Verdict,
    fixtures,
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
    let adapt = |machine| Machine {
        processors,
        ..machine
    };
    fixtures::probe("sync_probe", LIMIT, adapt).map(drop)
}
