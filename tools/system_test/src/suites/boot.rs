//! Booting by each protocol, with little memory, without a console, from damaged files.

use crate::{
    failure::{Failure, Verdict, contains, ensure, equal},
    guest::{COMMAND_LIMIT, Guest, PROMPT},
    json::items,
    plan::{Options, Suite, Tests},
};
use linker::format::archive::Archive;
use runner::{
    Boot, Machine, Outcome,
    machine::{Artifacts, Ports},
};
use std::{fs, path::PathBuf, time::Duration};

pub(crate) const SUITE: Suite = Suite {
    name: "boot",
    tests: Tests::Own(&[
        ("uefi_64_mib", |_| boots(Boot::Uefi, 64)),
        ("bios_32_mib", |_| boots(Boot::Bios, 32)),
        ("direct_32_mib", |_| boots(Boot::Direct, 32)),
        ("bios_256_mib", |_| boots(Boot::Bios, 256)),
        ("direct_2_gib", |_| boots(Boot::Direct, 2048)),
        ("direct_6_gib", |_| boots(Boot::Direct, 6144)),
        ("all_of_2_cpus_by_uefi", |_| all_cpus_run(Boot::Uefi, 2)),
        ("all_of_2_cpus_by_bios", |_| all_cpus_run(Boot::Bios, 2)),
        ("all_of_1_cpu", |_| all_cpus_run(Boot::Direct, 1)),
        ("all_of_2_cpus", |_| all_cpus_run(Boot::Direct, 2)),
        ("all_of_4_cpus", |_| all_cpus_run(Boot::Direct, 4)),
        ("all_of_8_cpus", |_| all_cpus_run(Boot::Direct, 8)),
        ("too_little_memory_is_said", too_little_memory),
        ("a_cpu_that_does_not_answer_is_left_out", silent_cpu),
        ("no_serial_port_ends_with_a_status", no_serial_port),
        ("no_archive_is_said", no_archive),
        ("a_truncated_archive_is_said", truncated_archive),
        ("a_corrupt_archive_is_said", corrupt_archive),
        ("a_corrupt_command_is_said_when_it_runs", corrupt_command),
        ("an_archive_of_rubbish_is_said", rubbish_archive),
        ("reboot_boots_again", reboot),
        ("poweroff_ends_with_success", poweroff),
    ]),
};

/// How long a machine that must end by itself may take.
const END_LIMIT: Duration = Duration::from_secs(60);

fn direct() -> Machine {
    Machine {
        boot: Boot::Direct,
        ..Machine::default()
    }
}

fn boots(boot: Boot, memory_mib: u32) -> Verdict {
    let mut guest = Guest::boot(Machine {
        boot,
        memory_mib,
        ..Machine::default()
    })?;
    contains(&guest.run("echo it runs")?, "it runs")?;
    guest.send(b"poweroff\r")?;
    equal(guest.outcome(END_LIMIT)?, Outcome::PoweredOff)
}

/// Every CPU has an idle task, so it has come to the end of its start.
fn all_cpus_run(boot: Boot, processors: u32) -> Verdict {
    let mut guest = Guest::boot(Machine {
        boot,
        processors,
        ..Machine::default()
    })?;
    contains(
        &guest.run("log")?,
        &format!("{processors} of {processors} CPUs run"),
    )?;
    let tasks = guest.json("ps --json")?;
    let mut cpus: Vec<u64> = items(&tasks)?
        .iter()
        .filter(|task| task["name"] == "idle")
        .filter_map(|task| task["cpu"].as_u64())
        .collect();
    cpus.sort_unstable();
    equal(cpus, (0..u64::from(processors)).collect())?;
    guest.send(b"poweroff\r")?;
    equal(guest.outcome(END_LIMIT)?, Outcome::PoweredOff)
}

/// Runs a machine that must not come up and returns what it said and its status.
fn refuses(machine: Machine) -> Result<String, Failure> {
    let mut guest = Guest::start(machine, true)?;
    let outcome = guest.outcome(END_LIMIT)?;
    let text = guest.transcript();
    ensure(!text.contains(PROMPT), || {
        format!("the system came up:\n{text}")
    })?;
    match outcome {
        Outcome::Exited(status) if status != 0 => Ok(text),
        other => Err(Failure::Wrong(format!("{other}, after:\n{text}"))),
    }
}

/// Enough for nucleus and archive side by side, and for nothing else.
fn too_little_memory(_: &Options) -> Verdict {
    let text = refuses(Machine {
        memory_mib: 12,
        ..direct()
    })?;
    contains(&text, "memory")
}

fn no_serial_port(_: &Options) -> Verdict {
    let machine = Machine {
        ports: Ports::None,
        ..direct()
    };
    let mut guest = Guest::start(machine, false)?;
    // Nothing can be read; QEMU's status is all there is.
    match guest.outcome(END_LIMIT)? {
        Outcome::QemuFailed(1) | Outcome::Exited(0) => Err(Failure::Wrong(
            "a status that looks like success or like QEMU's own".into(),
        )),
        Outcome::Exited(_) => Ok(()),
        other => Err(Failure::Wrong(other.to_string())),
    }
}

/// The local APIC of a CPU that is not there.
const SILENT: u8 = 42;

/// The tables name a CPU that never begins: the log says so, and the system runs on the others.
fn silent_cpu(_: &Options) -> Verdict {
    let path = PathBuf::from(format!("build/test-{}-madt", std::process::id()));
    fs::write(&path, interrupt_controllers(&[0, SILENT, 1]))
        .map_err(|error| Failure::Wrong(format!("writing a table: {error}")))?;
    let result = Guest::boot(Machine {
        processors: 2,
        acpi_table: Some(path.clone()),
        command_line: "acpi_apic_instance=2".into(),
        ..direct()
    });
    drop(fs::remove_file(path));
    let mut guest = result?;
    let log = guest.run("log")?;
    contains(
        &log,
        &format!("the CPU with APIC {SILENT} stays parked: it does not answer"),
    )?;
    contains(&log, "2 of 3 CPUs run")?;
    // Both that are there work.
    let processes = guest.json("ps --json")?;
    let cpus = processes.as_array().into_iter().flatten();
    let idle = cpus.filter(|task| task["name"] == "idle").count();
    equal(idle, 2)?;
    contains(&guest.run("hello")?, "Hello")
}

/// A MADT (ACPI 6.5, section 5.2.12) with these local APICs, and QEMU's I/O APIC.
fn interrupt_controllers(local: &[u8]) -> Vec<u8> {
    let mut entries = Vec::new();
    for (uid, apic_id) in (0..).zip(local) {
        // Processor local APIC, enabled.
        entries.extend([0, 8, uid, *apic_id, 1, 0, 0, 0]);
    }
    // I/O APIC 0 at 0xFEC0_0000, from global interrupt 0 on.
    entries.extend([1, 12, 0, 0, 0, 0, 0xC0, 0xFE, 0, 0, 0, 0]);
    // The interval timer's interrupt 0 of the ISA bus is global interrupt 2.
    entries.extend([2, 10, 0, 0, 2, 0, 0, 0, 0, 0]);
    const HEADER: usize = 36;
    let length = u32::try_from(HEADER + 8 + entries.len()).unwrap_or(u32::MAX);
    let mut table = b"APIC".to_vec();
    table.extend(length.to_le_bytes());
    // Revision; checksum, which QEMU fills in; who made it.
    table.extend([3, 0]);
    table.extend(b"STRAKESTRAKETM");
    table.extend([1, 0, 0, 0]);
    table.extend(b"TEST");
    table.extend([1, 0, 0, 0]);
    // Local APICs at 0xFEE0_0000; there are legacy interrupt controllers.
    table.extend([0, 0, 0xE0, 0xFE, 1, 0, 0, 0]);
    table.extend(entries);
    table
}

/// A machine with `bytes` for its archive; the file's name keeps tests apart.
pub(crate) fn with_archive(name: &str, bytes: &[u8]) -> Result<Machine, Failure> {
    let path = PathBuf::from(format!("build/test-{}-{name}", std::process::id()));
    fs::write(&path, bytes).map_err(|error| Failure::Wrong(format!("writing {name}: {error}")))?;
    let artifacts = Artifacts {
        archive: path,
        ..Artifacts::default()
    };
    Ok(Machine {
        artifacts,
        ..direct()
    })
}

/// The archive's file: the archive, and behind it the line tables.
pub(crate) fn archive() -> Result<Vec<u8>, Failure> {
    fs::read(Artifacts::default().archive)
        .map_err(|error| Failure::Wrong(format!("reading the archive: {error}")))
}

fn refuses_archive(name: &str, bytes: &[u8]) -> Result<String, Failure> {
    let machine = with_archive(name, bytes)?;
    let path = machine.artifacts.archive.clone();
    let text = refuses(machine);
    // A file that stays is in the build folder and does no harm.
    drop(fs::remove_file(path));
    text
}

fn no_archive(_: &Options) -> Verdict {
    contains(&refuses_archive("empty", b"\n")?, "archive")
}

fn truncated_archive(_: &Options) -> Verdict {
    let archive = archive()?;
    for part in [1, 3] {
        let cut = archive.get(..archive.len() * part / 4).unwrap_or_default();
        contains(&refuses_archive(&format!("cut-{part}"), cut)?, "archive")?;
    }
    Ok(())
}

fn corrupt_archive(_: &Options) -> Verdict {
    // In the index.
    let damaged = flipped(&archive()?, 40);
    contains(&refuses_archive("bad-index", &damaged)?, "archive")?;
    // In a member that boot needs.
    let damaged = flipped(&archive()?, middle_of("console")?);
    contains(&refuses_archive("bad-member", &damaged)?, "console")
}

/// Only a member that is used is read, so the damage is found when it is.
fn corrupt_command(_: &Options) -> Verdict {
    let machine = with_archive("bad-command", &flipped(&archive()?, middle_of("yes")?))?;
    let path = machine.artifacts.archive.clone();
    let mut guest = Guest::boot(machine)?;
    let (ok, output) = guest.succeeds("yes")?;
    ensure(!ok, || "it ran".into())?;
    contains(&output, "yes")?;
    contains(&output, "corrupt")?;
    contains(&guest.run("hello")?, "Hello")?;
    drop(fs::remove_file(path));
    Ok(())
}

/// The archive with one bit flipped.
fn flipped(archive: &[u8], at: usize) -> Vec<u8> {
    let mut damaged = archive.to_vec();
    if let Some(byte) = damaged.get_mut(at) {
        *byte ^= 0x40;
    }
    damaged
}

/// A position in the middle of a component's object.
fn middle_of(name: &str) -> Result<usize, Failure> {
    let bytes = archive()?;
    let archive = Archive::parse(&bytes).map_err(|error| Failure::Wrong(error.to_string()))?;
    let index = archive.find(name, "");
    let member = index.and_then(|index| archive.member(index).ok());
    let member = member.ok_or_else(|| Failure::Wrong(format!("the archive has no {name}")))?;
    usize::try_from(member.offset + member.length / 2)
        .map_err(|error| Failure::Wrong(error.to_string()))
}

fn rubbish_archive(_: &Options) -> Verdict {
    let rubbish: Vec<u8> = (0..100_000_u32)
        .flat_map(|n| n.wrapping_mul(0x9E37_79B9).to_le_bytes())
        .collect();
    contains(&refuses_archive("rubbish", &rubbish)?, "archive")
}

fn reboot(_: &Options) -> Verdict {
    let mut guest = Guest::boot(Machine {
        survives_reset: true,
        ..direct()
    })?;
    guest.send(b"reboot\r")?;
    guest.expect_within(PROMPT, COMMAND_LIMIT * 2)?;
    contains(&guest.run("echo again")?, "again")
}

fn poweroff(_: &Options) -> Verdict {
    let mut guest = Guest::boot(direct())?;
    guest.send(b"poweroff\r")?;
    equal(guest.outcome(END_LIMIT)?, Outcome::PoweredOff)
}
