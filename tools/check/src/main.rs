//! `make check`: runs the checks that its arguments name, or all.
#![forbid(unsafe_code)]

use check::{CHECKS, workspace::Workspace};
use std::{process::ExitCode, time::Instant};

fn main() -> ExitCode {
    let workspace = match Workspace::read() {
        Ok(workspace) => workspace,
        Err(error) => {
            eprintln!("check: {error}");
            return ExitCode::from(2);
        }
    };
    let only: Vec<String> = std::env::args().skip(1).collect();
    let chosen = CHECKS
        .iter()
        .filter(|(name, _)| only.is_empty() || only.iter().any(|o| o == name));
    let mut failed = 0;
    let mut count = 0;
    for (name, check) in chosen {
        let begin = Instant::now();
        let complaints = check(&workspace);
        let seconds = begin.elapsed().as_secs_f32();
        let verdict = if complaints.is_empty() {
            "ok"
        } else {
            "FAILED"
        };
        println!("check {name:<16} {verdict:<6} {seconds:6.1} s");
        for complaint in &complaints {
            println!("  {complaint}");
        }
        count += 1;
        failed += usize::from(!complaints.is_empty());
    }
    println!("{} checks passed, {failed} failed", count - failed);
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
