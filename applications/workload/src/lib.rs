//! Uses the system in ways whose results are known, and says whether they came out right.
//!
//! Each workload runs in a task of its own. One that fails, answers wrongly or takes too long is ended
//! and run again by its supervisor, up to a limit; the supervisor is a task, too, and this command's first
//! task makes another one if a fault ends that.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod supervise;
mod workloads;

use application::{Arguments, ExitCode, Json, Operands, OptionSpec, Usage, fail, println};
use core::time::Duration;
use supervise::{Outcome, supervise};
use workloads::{WORKLOADS, Workload};

application::application! {
    usage: Usage {
        name: "workload",
        summary: "use the system and check what comes out",
        operands: Operands::new("[WORKLOAD]…", 0, usize::MAX),
        options: &[
            OptionSpec::flag("marks", "pass the marks at which faults are injected"),
            OptionSpec::JSON,
        ],
        notes: &[
            "Workloads are spawn, message, rendezvous, console and files; without one, all run.",
            "One that fails or hangs is ended and run again.",
        ],
        exit_codes: &[(1, "a workload did not come out right, or is not known")],
        ..Usage::NONE
    },
    main: main,
}

/// How often the outcome is told before nobody is taken to hear it.
const ATTEMPTS_TO_TELL: u32 = 3;

/// Long enough for whoever has started this to wait for its end.
const SETTLING: Duration = Duration::from_millis(2);

fn main(arguments: &Arguments) -> ExitCode {
    let wanted = arguments.operands();
    let known = |name: &str| WORKLOADS.iter().any(|workload| workload.name == name);
    if let Some(unknown) = wanted.iter().find(|name| !known(name)) {
        return fail(
            "workload",
            alloc::format!("there is no workload '{unknown}'"),
        );
    }
    // How the shell comes to wait for this command is part of no workload.
    task::sleep(SETTLING);
    let mut code = ExitCode::SUCCESS;
    for workload in WORKLOADS {
        if !wanted.is_empty() && wanted.iter().all(|name| name != workload.name) {
            continue;
        }
        let outcome = supervise(workload, arguments.has("marks"));
        if !outcome.correct {
            code = ExitCode::FAILURE;
        }
        let told = || task::catch(&mut || tell(workload, &outcome, arguments.has("json"))).is_ok();
        // What a workload has left half done may show only here.
        if !(0..ATTEMPTS_TO_TELL).any(|_| told()) {
            code = ExitCode::FAILURE;
        }
    }
    code
}

fn tell(workload: &Workload, outcome: &Outcome, json: bool) {
    if json {
        println!("{}", describe(workload, outcome));
        return;
    }
    let verdict = if outcome.correct { "right" } else { "wrong" };
    println!(
        "{:<12} {verdict}, {} attempts, {} us",
        workload.name,
        outcome.attempts,
        outcome.ns / 1000
    );
}

fn describe(workload: &Workload, outcome: &Outcome) -> Json {
    let integrity = integrity::statistics();
    Json::object([
        ("workload", workload.name.into()),
        ("correct", outcome.correct.into()),
        ("attempts", outcome.attempts.into()),
        ("killed", outcome.killed.into()),
        ("abandoned", outcome.abandoned.into()),
        ("failures", outcome.failures.into()),
        ("ns", outcome.ns.into()),
        ("faults", faults::total_records().into()),
        ("resumed", integrity.resumed.into()),
        ("swaps", swap::history().len().into()),
        ("damaged", integrity.damaged.into()),
        ("repaired", integrity.repaired.into()),
    ])
}
