//! What boot costs: counted in instructions, which a busy host does not change, and in memory.

use crate::{
    failure::{Failure, Verdict, ensure, equal},
    guest::Guest,
    json::count,
    plan::{Options, Suite, Tests},
    suites::run::run,
};
use runner::{Boot, Machine};
use serde_json::Value;

pub(crate) const SUITE: Suite = Suite {
    name: "figures",
    tests: Tests::Own(&[
        ("instructions_to_the_prompt", instructions),
        ("memory_in_use_at_the_prompt", memory),
    ]),
};

/// Most instructions from QEMU's start to the prompt, by PVH with 256 MiB.
const MOST_INSTRUCTIONS: u64 = 250_000_000;
/// Most of them for linking.
const MOST_FOR_LINKING: u64 = 150_000_000;
/// Most bytes in use at the prompt, the archive included.
const MOST_MEMORY: u64 = 24 << 20;

/// The time-stamp counter counts instructions then, from QEMU's start on; while the system waits for somebody
/// to type, it runs ahead, so nobody types.
fn instructions(_: &Options) -> Verdict {
    let (output, status) = run(&[("ICOUNT", "1")], "log --json; bench boot --json")?;
    equal(status, Some(0))?;
    let documents: Result<Vec<Value>, _> = output.lines().map(serde_json::from_str).collect();
    let Ok([log, boot]) = documents.as_deref() else {
        return Err(Failure::Wrong(format!("not two JSON documents: {output}")));
    };
    let records = log["records"].as_array().cloned().unwrap_or_default();
    let messages = records
        .iter()
        .filter_map(|record| record["message"].as_str());
    let record = messages
        .filter(|message| message.contains("relocations linked in"))
        .find_map(|message| {
            let number = |text: &str| text.split_whitespace().next()?.parse::<u64>().ok();
            let (_, linking) = message.split_once("linked in ")?;
            let (_, boot) = message.split_once("boot in ")?;
            Some((number(linking)?, number(boot)?))
        });
    let (linking, session) =
        record.ok_or_else(|| Failure::Wrong(format!("no record of what boot cost in {log}")))?;
    let command = count(&boot[0], "ticks")?;
    println!(
        "figure: linking {linking}, nucleus to session {session}, from QEMU's start to the second command {command}"
    );
    ensure(linking <= MOST_FOR_LINKING, || {
        format!("linking took {linking} instructions")
    })?;
    ensure(session.max(command) <= MOST_INSTRUCTIONS, || {
        format!("boot took {session} instructions, {command} with the first two commands")
    })
}

fn memory(_: &Options) -> Verdict {
    let mut guest = Guest::boot(Machine {
        boot: Boot::Direct,
        ..Machine::default()
    })?;
    let used = count(&guest.json("mem --json")?, "used")?;
    println!("figure: {used} bytes in use at the prompt");
    ensure(used <= MOST_MEMORY, || format!("{used} bytes in use"))
}
