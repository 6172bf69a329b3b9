//! The system's own figures.

use crate::{
    figures::{Figure, Figures, Side},
    guest::printed,
};
use runner::{Boot, Machine, RunnerError, machine::Artifacts, plain::Plain};
use serde_json::Value;
use std::{env, fs, io, path::Path, process::Command};

/// The manifest that adds the statically linked object.
const MANIFEST: &str = "tools/benchmarks/static.toml";

/// Boot and memory are measured before anything else has run.
const COMMANDS: &str = "mem --json; bench --json";

/// The operations, with instructions counted or not.
pub(crate) fn measure(instruction_count: bool) -> Result<Figures, RunnerError> {
    let machine = Machine {
        boot: Boot::Direct,
        instruction_count,
        ..Machine::default()
    };
    let documents = run(machine, COMMANDS)?;
    let mut figures = Figures::default();
    for document in &documents {
        if let Some(bytes) = document["used"].as_u64() {
            figures.add("memory", figure(bytes));
        }
        for row in document.as_array().into_iter().flatten() {
            let unit = if instruction_count { "ticks" } else { "ns" };
            let value = row[unit].as_u64().or_else(|| row["bytes"].as_u64());
            if let (Some(name), Some(value)) = (row["name"].as_str(), value) {
                figures.add(name, figure(value));
            }
        }
    }
    Ok(figures)
}

/// The same clock when GRUB has booted the system.
pub(crate) fn boot_by_grub() -> Result<Figures, RunnerError> {
    let machine = Machine {
        boot: Boot::Bios,
        instruction_count: true,
        ..Machine::default()
    };
    let documents = run(machine, "bench boot --json")?;
    let mut figures = Figures::default();
    let ticks = documents.iter().filter_map(|it| it[0]["ticks"].as_u64());
    ticks.for_each(|ticks| figures.add("boot-grub", figure(ticks)));
    Ok(figures)
}

/// How many thousandths of the instructions of the same code, linked statically, it takes when it is
/// linked at run time.
pub(crate) fn to_static() -> Result<Figures, RunnerError> {
    let machine = Machine {
        artifacts: image_with_static_link()?,
        boot: Boot::Direct,
        instruction_count: true,
        ..Machine::default()
    };
    let commands = "bench demangle --json; swap bench=static; bench demangle --json";
    let documents = run(machine, commands)?;
    let ticks = documents.iter().filter_map(|it| it[0]["ticks"].as_u64());
    let mut figures = Figures::default();
    if let [at_run_time, statically] = ticks.collect::<Vec<_>>()[..] {
        let thousandths = at_run_time.saturating_mul(1000).div_ceil(statically.max(1));
        figures.add("static-link", figure(thousandths));
    }
    Ok(figures)
}

/// Builds an image that has the statically linked object, too.
fn image_with_static_link() -> Result<Artifacts, RunnerError> {
    let folder = Path::new(super::FOLDER).join("image");
    let start = |source| RunnerError::Start {
        program: "the image builder".into(),
        source,
    };
    let output = Command::new(env::current_exe().map_err(start)?.with_file_name("image"))
        .args(["build", "--extra-manifest", MANIFEST, "--out"])
        .arg(&folder)
        .output()
        .map_err(start)?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(start(io::Error::other(message)));
    }
    Ok(Artifacts {
        iso: folder.join("strake.iso"),
        nucleus: folder.join("nucleus.elf"),
        archive: folder.join("strake.archive"),
    })
}

fn figure(value: u64) -> Figure {
    Figure {
        side: Side::Strake,
        how: String::new(),
        value,
    }
}

/// The JSON documents that `commands` print.
fn run(mut machine: Machine, commands: &str) -> Result<Vec<Value>, RunnerError> {
    let path = Path::new(super::FOLDER).join("commands");
    fs::write(&path, commands).map_err(RunnerError::io("writing the guest's commands"))?;
    machine.command = Some(path);
    let text = printed(machine.qemu()?)?;
    let mut plain = Vec::new();
    Plain::default().read(text.as_bytes(), &mut plain);
    let documents = String::from_utf8_lossy(&plain)
        .lines()
        .filter_map(|line| serde_json::from_str(line.trim()).ok())
        .filter(|document: &Value| document.is_object() || document.is_array())
        .collect();
    Ok(documents)
}
