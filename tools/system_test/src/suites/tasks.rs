//! Tasks and faults as code inside the system sees them, checked by a fixture.

use crate::{
    failure::{Verdict, contains},
    fixtures,
    plan::{Suite, Tests},
};
use runner::Machine;
use std::time::Duration;

pub(crate) const SUITE: Suite = Suite {
    name: "tasks",
    tests: Tests::Own(&[
        ("every_check_of_the_probe_holds", |_| probe(1)),
        ("every_check_of_the_probe_holds_on_2_cpus", |_| probe(2)),
        ("every_check_of_the_probe_holds_on_4_cpus", |_| probe(4)),
        ("every_check_of_the_probe_holds_on_8_cpus", |_| probe(8)),
        ("stuck_cpus_come_back", |_| stuck()),
    ]),
};

/// How long all checks may take under emulation.
const LIMIT: Duration = Duration::from_secs(120);

/// Right after boot, when some CPUs have never ticked.
fn stuck() -> Verdict {
    let adapt = |machine| Machine {
        processors: 3,
        ..machine
    };
    fixtures::probe("task_probe stuck_cpus_come_back", LIMIT, adapt).map(drop)
}

fn probe(processors: u32) -> Verdict {
    let adapt = |machine| Machine {
        processors,
        ..machine
    };
    let (_, output) = fixtures::probe("task_probe", LIMIT, adapt)?;
    // That the compiler's flag for faults in leaf functions works.
    contains(&output, "leaf_fault_runs_drops: ok")
}
