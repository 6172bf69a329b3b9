//! `strake run`, `strake push`, `strake debug`: what `make` calls. Settings come as environment
//! variables, see `make help`. `strake resolve` names the lines of a report.
#![forbid(unsafe_code)]

use runner::{Outcome, debug, push, resolve, session, settings::Settings};
use std::{error::Error, process::ExitCode};

fn main() -> ExitCode {
    let result = match std::env::args().nth(1).as_deref() {
        Some("run") => run(),
        Some("push") => push(),
        Some("debug") => Err(debug::run(std::env::args().skip(2)).into()),
        Some("resolve") => resolve(),
        other => {
            eprintln!(
                "strake: unknown command {:?}; there are run, push, debug, resolve",
                other.unwrap_or("")
            );
            return ExitCode::from(2);
        }
    };
    result.unwrap_or_else(|error| {
        eprintln!("strake: {error}");
        ExitCode::FAILURE
    })
}

fn run() -> Result<ExitCode, Box<dyn Error>> {
    let outcome = session::run(&Settings::from_environment()?)?;
    if !matches!(outcome, Outcome::PoweredOff | Outcome::Exited(_)) {
        eprintln!("strake: {outcome}");
    }
    Ok(ExitCode::from(outcome.status()))
}

fn push() -> Result<ExitCode, Box<dyn Error>> {
    let options = push::Options::from_arguments(std::env::args().skip(2))?;
    Ok(if push::run(&options)? {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn resolve() -> Result<ExitCode, Box<dyn Error>> {
    let options = resolve::Options::from_arguments(std::env::args().skip(2))?;
    Ok(if resolve::run(&options)? {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
