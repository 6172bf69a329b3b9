//! `make bench`: what operations cost in this system, and in Linux on the same machine.
//!
//! Each side runs once with instructions counted, which gives the same figures every time, and once
//! without, for nanoseconds. Both measure in the same way: batches after one that warms up, the cheapest
//! counts, less an empty loop. Without a Linux kernel to fetch, only this system is measured.
//!
//! Neighbours: the application `bench` measures inside the system; `linux/` has the sources of the
//! Linux guest; `runner` says what a machine is. Left out: networks and disks.
#![forbid(unsafe_code)]

mod figures;
mod guest;
mod linux;
mod operations;
mod plot;
mod report;
mod strake;

use figures::{Figures, Side};
use linux::{Linux, LinuxError};
use report::Results;
use runner::RunnerError;
use std::{fs, path::Path, process::ExitCode};

/// Where results go, and what is built for them.
const FOLDER: &str = "build/bench";

fn main() -> ExitCode {
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("benchmarks: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<(), RunnerError> {
    fs::create_dir_all(FOLDER).map_err(RunnerError::io("making the folder of the results"))?;
    progress("this system, with instructions counted");
    let mut instructions = strake::measure(true)?;
    progress("this system, booted by GRUB");
    instructions.join(strake::boot_by_grub()?);
    progress("this system, linked at run time and statically");
    instructions.join(strake::to_static()?);
    progress("this system, by the host's clock");
    let mut nanoseconds = strake::measure(false)?;
    let linux = match compare(&mut instructions, &mut nanoseconds) {
        Ok(version) => Some(version),
        Err(error) => {
            eprintln!("benchmarks: no comparison with Linux: {error}");
            None
        }
    };
    let results = Results {
        instructions,
        nanoseconds,
        linux,
    };
    let text = results.text();
    print!("{text}");
    write("results.txt", &text)?;
    write("results.json", &format!("{:#}\n", results.json()))?;
    write("results.svg", &plot::svg(&results.instructions))?;
    let (over, missing) = results.missed();
    println!(
        "\n{over} above their goals, {missing} not measured; see {FOLDER}/results.{{txt,json,svg}}"
    );
    if results.instructions.has(Side::Strake) {
        Ok(())
    } else {
        Err(RunnerError::Missing {
            path: "a figure of this system".into(),
            make: "make run CMD=bench",
        })
    }
}

/// Adds what Linux takes, and answers with its version.
fn compare(instructions: &mut Figures, nanoseconds: &mut Figures) -> Result<String, LinuxError> {
    progress("building the Linux guest");
    let linux = Linux::build()?;
    progress("Linux, with instructions counted");
    instructions.join(linux.measure(true)?);
    progress("Linux, by the host's clock");
    nanoseconds.join(linux.measure(false)?);
    Ok(linux.version)
}

fn progress(what: &str) {
    eprintln!("benchmarks: {what}");
}

fn write(name: &str, text: &str) -> Result<(), RunnerError> {
    let path = Path::new(FOLDER).join(name);
    fs::write(&path, text).map_err(RunnerError::io(format!("writing {}", path.display())))
}
