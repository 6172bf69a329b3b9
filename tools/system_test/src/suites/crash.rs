//! A fault of every kind ends its own task and nothing else, and its memory comes back.

use crate::{
    failure::{Failure, Verdict, contains, ensure, equal},
    guest::Guest,
    json::{count, items, text},
    plan::{Options, Suite, Tests},
    suites::lines::{line_of, strake},
};
use runner::{Boot, Machine};
use std::time::Duration;

pub(crate) const SUITE: Suite = Suite {
    name: "crash",
    tests: Tests::Own(&[
        ("panic", |options| crashes(options, "panic", "panic")),
        ("division_by_zero_is_vector_0", |options| {
            crashes(options, "div", "vector 0")
        }),
        ("null_load_is_vector_14", |options| {
            crashes(options, "null", "vector 14")
        }),
        ("undefined_instruction_is_vector_6", |options| {
            crashes(options, "ud2", "vector 6")
        }),
        ("first_fault_of_a_boot_is_named_by_its_address", first_fault),
        ("stack_overflow", |options| {
            crashes(options, "stack", "stack overflow")
        }),
        ("impossible_allocation", |options| {
            crashes(options, "alloc", "alloc")
        }),
        ("exhaustion_in_small_steps", |options| {
            crashes(options, "exhaust", "alloc")
        }),
        ("help_names_every_kind", help),
        ("every_kind_on_1_cpu", |options| every_kind(options, 1)),
        ("every_kind_on_4_cpus", |options| every_kind(options, 4)),
        ("memory_on_the_move_on_4_cpus", on_the_move),
        ("a_cpu_that_is_stuck_is_named", stuck),
    ]),
};

/// How long a CPU of several may be stuck before it is noticed, on a busy host.
const STUCK_LIMIT: Duration = Duration::from_secs(120);

/// Most bytes that a crash may leave behind, besides what the leak list names.
const MOST_LOST: u64 = 4096;

fn free_bytes(guest: &mut Guest) -> Result<(u64, u64), Failure> {
    let memory = guest.json("mem --json")?;
    Ok((count(&memory, "free")?, count(&memory, "total_leaks")?))
}

/// Crashes again and again; after each the shell answers. `reason` is what the message must say.
fn crashes(options: &Options, kind: &str, reason: &str) -> Verdict {
    let rounds = options.rounds(5, 100);
    let mut guest = Guest::boot(Machine {
        boot: Boot::Direct,
        ..Machine::default()
    })?;
    let result = crash_repeatedly(&mut guest, kind, reason, rounds);
    result.map_err(|failure| {
        Failure::Wrong(format!(
            "{failure}; the transcript's end:\n{}",
            guest.tail()
        ))
    })
}

/// The kinds, and what the message must say.
const KINDS: [(&str, &str); 16] = [
    ("panic", "panic"),
    ("div", "vector 0"),
    ("null", "vector 14"),
    ("ud2", "vector 6"),
    ("stack", "stack overflow"),
    ("alloc", "alloc"),
    ("exhaust", "alloc"),
    ("gp", "vector 13"),
    ("store", "vector 14"),
    ("call", "vector 14"),
    ("return", "vector 14"),
    ("wild-stack", "vector 14"),
    ("drop", "provoked panic"),
    ("unwinder", "debug exception (vector 1"),
    ("double", "double fault (vector 8"),
    ("moved", "vector 14"),
];

/// A crash of each kind in turn, with the others' CPUs at work meanwhile.
fn every_kind(options: &Options, processors: u32) -> Verdict {
    let rounds = options.rounds(2, 30);
    let mut guest = Guest::boot(Machine {
        boot: Boot::Direct,
        processors,
        ..Machine::default()
    })?;
    let result = (0..rounds).try_for_each(|_| {
        KINDS
            .iter()
            .try_for_each(|(kind, reason)| crash(&mut guest, kind, reason))
    });
    let result = result.and_then(|()| recovered(&mut guest));
    result.map_err(|failure| {
        Failure::Wrong(format!(
            "{failure}; the transcript's end:\n{}",
            guest.tail()
        ))
    })
}

/// Faults between a move of memory and the note of its new place. What was free on one CPU was freed again by
/// the unwinding on another, or had been given away during the report, and the heap was destroyed.
fn on_the_move(options: &Options) -> Verdict {
    let mut guest = Guest::boot(Machine {
        boot: Boot::Direct,
        processors: 4,
        ..Machine::default()
    })?;
    for _ in 0..options.rounds(40, 400) {
        crash(&mut guest, "moved", "vector 14")?;
    }
    recovered(&mut guest)
}

fn crash_repeatedly(guest: &mut Guest, kind: &str, reason: &str, rounds: u32) -> Verdict {
    // The first one may make the heap, the caches of the loader and the supervisors' stacks grow: those look
    // for what a fault has left behind within a fifth of a second after it.
    crash(guest, kind, reason)?;
    let first = lost_by_crashes(guest, kind, reason, rounds)?;
    if first <= 0 {
        return Ok(());
    }
    // Meanwhile something else may have grown, as the stack of a task does that looks for damage from time to
    // time. What crashes lose, as many others lose again.
    let second = lost_by_crashes(guest, kind, reason, rounds)?;
    ensure(second <= 0, || {
        format!(
            "{rounds} crashes lost {first} bytes more than they may, and as many others {second}"
        )
    })
}

/// How much more `rounds` crashes leave behind than they may.
fn lost_by_crashes(
    guest: &mut Guest,
    kind: &str,
    reason: &str,
    rounds: u32,
) -> Result<i64, Failure> {
    guest.run("sleep 0.3")?;
    let (before, leaks_before) = free_bytes(guest)?;
    for _ in 0..rounds {
        crash(guest, kind, reason)?;
    }
    guest.run("sleep 0.3")?;
    let (after, leaks_after) = free_bytes(guest)?;
    let allowed = u64::from(rounds) * MOST_LOST + leaks_after.saturating_sub(leaks_before);
    let lost = before.saturating_sub(after);
    Ok(lost.cast_signed() - allowed.cast_signed())
}

/// All that is on record was recovered from, each within a second but for what has all memory to free.
fn recovered(guest: &mut Guest) -> Verdict {
    let report = guest.json("faults --json")?;
    for record in items(&report["records"])? {
        let exhausted = text(record, "failure")?.contains("allocation of 4096 bytes");
        let soon = count(record, "recovery_ns").is_ok_and(|time| time < 1_000_000_000);
        let soon = soon || exhausted;
        ensure(record["recovered"] == true && soon, || format!("{record}"))?;
    }
    Ok(())
}

fn crash(guest: &mut Guest, kind: &str, reason: &str) -> Verdict {
    let output = guest.run(&format!("crash {kind}"))?;
    contains(&output.to_lowercase(), reason)?;
    // With a backtrace by name, unless the stack pointer or what it leads to is what is wrong, or
    // interrupts were off.
    if !matches!(kind, "wild-stack" | "return" | "double") {
        contains(&output, "faults::")?;
    }
    contains(&guest.run("echo alive")?, "alive")
}

fn help(_: &Options) -> Verdict {
    let mut guest = Guest::boot(Machine {
        boot: Boot::Direct,
        ..Machine::default()
    })?;
    let help = guest.run("crash --help")?;
    let known = guest.run("crash no-such-kind")?;
    let (_, kinds) = known.split_once("there are ").unwrap_or_default();
    ensure(kinds.contains("moved"), || known.clone())?;
    let mut kinds = kinds.split_whitespace();
    kinds.try_for_each(|kind| contains(&help, &format!("\n{kind} ")))
}

/// The first fault of a boot was told as that of a stack without memory: its handler ran on a stack as fresh
/// as it gets, and asked for the address after a page fault of its own.
fn first_fault(_: &Options) -> Verdict {
    let mut guest = Guest::boot(Machine {
        boot: Boot::Direct,
        ..Machine::default()
    })?;
    let named = "page fault (vector 14, error code 0x0) at 0x0";
    contains(&guest.run("time crash null")?, named)?;
    let list = guest.json("faults --json")?;
    let record = items(&list["records"])?.last().cloned().unwrap_or_default();
    equal(text(&record, "failure")?, named)
}

/// A CPU of several that takes no timer interrupt for 10 s: the watchdog names it with its backtrace, and
/// ends what it executes.
fn stuck(_: &Options) -> Verdict {
    let line = line_of("fn loop_without_interrupts(", "rounds.wrapping_add")?;
    let mut guest = Guest::boot(Machine {
        boot: Boot::Direct,
        processors: 4,
        ..Machine::default()
    })?;
    let begin = count(&guest.json("uptime --json")?, "uptime_ns")?;
    let report = guest.run_within("crash stuck", STUCK_LIMIT)?;
    let time = count(&guest.json("uptime --json")?, "uptime_ns")? - begin;
    ensure((5_000_000_000..30_000_000_000).contains(&time), || {
        format!("ended after {time} ns")
    })?;
    let list = guest.json("faults --json")?;
    let record = items(&list["records"])?.last().cloned().unwrap_or_default();
    let cpu = count(&record, "cpu")?;
    contains(
        &report,
        &format!("cpu{cpu} takes no timer interrupt any more"),
    )?;
    equal(text(&record, "location")?, line.as_str())?;
    equal(&record["recovered"], &true.into())?;
    // The report names builds and offsets only, with interrupts off; the host knows what they are.
    let places = report
        .split([' ', '('])
        .filter(|word| word.contains("@") && word.contains("+0x"));
    let mut arguments = vec!["resolve"];
    arguments.extend(places);
    let (ok, resolved) = strake(&arguments)?;
    ensure(ok, || resolved.clone())?;
    contains(&resolved, "loop_without_interrupts")?;
    contains(&resolved, &line)?;
    contains(&resolved, "is crash::main+0x")?;
    contains(&guest.run("hello")?, "Hello")
}
