//! The unit tests that run on the host.

use crate::plan::{Options, Totals};
use check::{cargo::tested_packages, workspace::Workspace};
use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

/// Runs the unit tests of every crate that has some, and passes cargo's output on.
pub(crate) fn run(options: &Options) -> Totals {
    let workspace = match Workspace::read() {
        Ok(workspace) => workspace,
        Err(error) => {
            println!("test host::workspace FAILED\n  {error}");
            return Totals {
                passed: 0,
                failed: 1,
            };
        }
    };
    let mut cargo = Command::new("cargo");
    cargo.args(["test", "--release", "--no-fail-fast"]);
    for name in tested_packages(&workspace) {
        cargo.args(["-p", &name]);
    }
    if !options.filter.is_empty() {
        cargo.args(["--", &options.filter]);
    }
    let Ok(mut child) = cargo.stdout(Stdio::piped()).spawn() else {
        println!("test host::cargo FAILED\n  cargo does not start");
        return Totals {
            passed: 0,
            failed: 1,
        };
    };
    let mut totals = Totals::default();
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if let Some(counts) = counts(&line) {
                totals.add(counts);
            } else if !line.is_empty() {
                println!("{line}");
            }
        }
    }
    let success = child.wait().is_ok_and(|status| status.success());
    if !success && totals.failed == 0 {
        println!("test host::cargo FAILED\n  the unit tests do not compile");
        totals.failed = 1;
    }
    totals
}

/// The counts in a line such as `test result: ok. 19 passed; 0 failed; 0 ignored; …`.
fn counts(line: &str) -> Option<Totals> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let number = |word: &str| {
        let part = counts.split("; ").find(|part| part.ends_with(word))?;
        part.split(' ').next()?.parse().ok()
    };
    Some(Totals {
        passed: number(" passed")?,
        failed: number(" failed")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_cargos_counts() {
        let line =
            "test result: FAILED. 19 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
        let counts = counts(line);
        assert!(counts.is_some_and(|c| c.passed == 19 && c.failed == 2));
    }
}
