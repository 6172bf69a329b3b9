//! Damaged text, constants and stubs are seen and put right, whoever meets them first.

use crate::{
    failure::{Failure, Verdict, contains, ensure},
    fixtures,
    guest::Guest,
    json::{count, items, text},
    plan::{Suite, Tests},
};
use runner::Machine;
use serde_json::Value;

pub(crate) const SUITE: Suite = Suite {
    name: "integrity",
    tests: Tests::Own(&[
        ("damage_is_repaired", |_| damage(1)),
        ("damage_is_repaired_on_4_cpus", |_| damage(4)),
    ]),
};

fn damage(processors: u32) -> Verdict {
    let machine = fixtures::exclusively(|tree| tree.machine())?;
    let mut guest = Guest::boot(Machine {
        processors,
        ..machine
    })?;
    let result = flipped_bits(&mut guest)
        .and_then(|()| executed_damage(&mut guest))
        .and_then(|()| sound(&mut guest));
    result.map_err(|failure| {
        Failure::Wrong(format!(
            "{failure}; the transcript's end:\n{}",
            guest.tail()
        ))
    })
}

/// What nobody executes or reads meanwhile is found by looking at everything.
fn flipped_bits(guest: &mut Guest) -> Verdict {
    for (part, component, offset) in [
        ("text", "klog", 100),
        ("text", "linker", 70_000),
        ("rodata", "swap", 5000),
        ("rodata", "core", 9001),
    ] {
        guest.run(&format!("sabotage {part} {component} {offset}"))?;
        let report = guest.json("integrity --check --json")?;
        let damages = items(&report["damages"])?;
        let found = damages.iter().find(|damage| {
            text(damage, "component").is_ok_and(|name| name == component)
                && text(damage, "part").is_ok_and(|it| it == part)
        });
        let found = found
            .ok_or_else(|| Failure::Wrong(format!("{part} of {component} is not in {report}")))?;
        let word = offset / 8 * 8;
        ensure(count(found, "offset")? == word, || format!("{found}"))?;
        let difference = number(found, "found")? ^ number(found, "wanted")?;
        ensure(difference == 0x10 << (offset % 8 * 8), || {
            format!("{found}")
        })?;
        ensure(found["repaired"] == true, || format!("{found}"))?;
    }
    Ok(())
}

/// A number that JSON has as a hexadecimal string.
fn number(value: &Value, field: &str) -> Result<u64, Failure> {
    let digits = text(value, field)?.trim_start_matches("0x").to_owned();
    u64::from_str_radix(&digits, 16).map_err(|error| Failure::Wrong(format!("{digits}: {error}")))
}

/// Who executes what is damaged does not notice, unless more than an instruction was.
fn executed_damage(guest: &mut Guest) -> Verdict {
    for what in ["call", "slot", "stub", "call", "slot"] {
        let said = guest.run(&format!("sabotage {what}"))?;
        contains(&said, "the victim says 100")?;
    }
    let report = guest.json("integrity --json")?;
    // The background task may have been faster than one or the other call.
    let resumed = count(&report["statistics"], "resumed")?;
    ensure(resumed >= 2, || format!("{report}"))
}

/// Nothing is damaged at the end, and nothing was that could not be repaired.
fn sound(guest: &mut Guest) -> Verdict {
    let report = guest.json("integrity --check --json")?;
    ensure(count(&report["checked"], "damaged")? == 0, || {
        format!("{report}")
    })?;
    let statistics = &report["statistics"];
    ensure(
        count(statistics, "damaged")? == count(statistics, "repaired")?
            && count(statistics, "damaged")? >= 9,
        || format!("{report}"),
    )?;
    let log = guest.run("log")?;
    contains(&log, "damaged text of klog")
}
