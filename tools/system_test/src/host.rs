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
            return failed("host::workspace", &error.to_string());
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
        return failed("host::cargo", "cargo does not start");
    };
    let mut totals = Totals::default();
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if let Some(passed) = passed(&line) {
                totals.passed += passed;
                continue;
            }
            if let Some(name) = failure(&line) {
                totals.add(Totals::failed(
                    name,
                    "a unit test; cargo's output above says why",
                ));
            }
            if !line.is_empty() {
                println!("{line}");
            }
        }
    }
    let success = child.wait().is_ok_and(|status| status.success());
    if !success && totals.failures.is_empty() {
        totals.add(failed("host::cargo", "the unit tests do not compile"));
    }
    totals
}

/// Says that the step `name` failed, and why.
fn failed(name: &str, why: &str) -> Totals {
    println!("test {name} FAILED\n  {why}");
    Totals::failed(name, why)
}

/// How many passed, in a line such as `test result: ok. 19 passed; 0 failed; 0 ignored; …`.
fn passed(line: &str) -> Option<u32> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    counts.split_once(" passed")?.0.parse().ok()
}

/// The name in a line such as `test elf::reads_sections ... FAILED`.
fn failure(line: &str) -> Option<&str> {
    line.strip_prefix("test ")?.strip_suffix(" ... FAILED")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_cargos_lines() {
        let result =
            "test result: FAILED. 19 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(passed(result), Some(19));
        assert_eq!(failure(result), None);
        let line = "test elf::reads_sections ... FAILED";
        assert_eq!(failure(line), Some("elf::reads_sections"));
        assert_eq!(passed(line), None);
        assert_eq!(failure("test elf::reads_sections ... ok"), None);
    }
}
