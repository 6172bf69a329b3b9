//! `make test`: the unit tests on the host, then the real image under QEMU, driven by its serial
//! console like a user would.
//!
//! Principles: what is tested is what runs, by each way of booting; a test says what it expects and
//! a failure shows what the system said instead; host time is a limit for hangs and nothing else;
//! tests that leave the system whole share a boot, the others have their own. Neighbours: `runner`
//! makes the machines. Left out: what a unit test can show.
#![forbid(unsafe_code)]

mod book;
mod copy;
mod failure;
mod fixtures;
mod guest;
mod host;
mod json;
mod plan;
mod pushing;
mod soak;
mod suites;

use plan::{Options, Totals};
use std::process::ExitCode;

fn main() -> ExitCode {
    let options = match Options::from_arguments(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("system_test: {message}");
            return ExitCode::from(2);
        }
    };
    if let Some(boots) = options.soak {
        return if soak::run(boots) {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        };
    }
    let mut totals = Totals::default();
    if !options.system_only {
        totals.add(host::run(&options));
    }
    totals.add(plan::run(suites::ALL, &options));
    println!("{totals}");
    if totals.failures.is_empty() && totals.passed > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
