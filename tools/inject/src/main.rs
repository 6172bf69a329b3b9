//! `make inject`: injects faults into components of the running system while workloads use them, and
//! sees what comes of each.
//!
//! The system is the real image under QEMU with counted instructions. The injector works from outside,
//! through QEMU's server for gdb: it executes each workload once by single steps to learn what it executes
//! where; then, for each case, it stops the machine at a moment drawn from the seed, changes registers,
//! memory or the next call, lets it go on, and judges by what the console shows and by a run of all
//! workloads afterwards.
//!
//! Principles: the same seed gives the same cases; nothing in the guest is trusted to inject, and the
//! guest is asked only for what it has counted; a system that has to be booted again has not recovered.
//! Neighbours: `runner` makes the machine, the application `workload` is what is disturbed, the component
//! `injector` has the functions that fail. Left out: faults of devices.
#![forbid(unsafe_code)]

mod campaign;
mod case;
mod clock;
mod error;
mod gdb;
mod guest;
mod kind;
mod profile;
mod report;
mod strike;
mod symbols;
mod verdict;

use campaign::{Plan, Run};
use error::InjectError;
use kind::Kind;
use std::process::ExitCode;
use verdict::Verdict;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("inject: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), InjectError> {
    let plan = plan()?;
    let all = plan.first + plan.count;
    let campaign = campaign::run(&plan, |run, seconds| tell(run, all, seconds))?;
    println!("\n{}", report::tables(&campaign));
    let path = campaign::save(&campaign)?;
    println!("Each case is in {}.", path.display());
    Ok(())
}

fn tell(run: &Run, all: u32, seconds: f32) {
    let verdict = match &run.verdict {
        Verdict::NotReached => "not reached".into(),
        Verdict::NoEffect => "no effect".into(),
        Verdict::Recovered { ns } => format!("recovered, {} us", ns / 1000),
        Verdict::Lost { cause, .. } => format!("LOST: {cause}"),
    };
    let case = &run.case;
    println!(
        "{:>5}/{all} {:<13} {:<10} {:<12} {seconds:5.1} s  {verdict}",
        case.number + 1,
        case.kind.name(),
        case.workload,
        case.component,
    );
}

fn plan() -> Result<Plan, InjectError> {
    let name = setting("KIND").unwrap_or_else(|| "all".into());
    let kinds: Vec<Kind> = Kind::SOFTWARE
        .iter()
        .chain(Kind::HARDWARE)
        .copied()
        .filter(|kind| match name.as_str() {
            "all" => true,
            "software" => Kind::SOFTWARE.contains(kind),
            "hardware" => Kind::HARDWARE.contains(kind),
            other => kind.name() == other,
        })
        .collect();
    if kinds.is_empty() {
        return Err(InjectError::Setting {
            name: "KIND",
            value: name,
            expected: "all, software, hardware, or one kind".into(),
        });
    }
    let count = number("N", 100)?;
    if count == 0 {
        return Err(InjectError::Setting {
            name: "N",
            value: "0".into(),
            expected: "a number of faults of at least 1".into(),
        });
    }
    Ok(Plan {
        count,
        first: number("FIRST", 0)?,
        seed: number("SEED", 1)?,
        name,
        kinds,
        aim: setting("AIM").unwrap_or_default(),
    })
}

fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn number<T: std::str::FromStr>(name: &'static str, default: T) -> Result<T, InjectError> {
    let Some(value) = setting(name) else {
        return Ok(default);
    };
    value.parse().map_err(|_| InjectError::Setting {
        name,
        value,
        expected: "a number".into(),
    })
}
