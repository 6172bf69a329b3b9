//! Scheduling policies: what they promise, and that one can take another's place under load.

use crate::{
    failure::{Failure, Verdict, contains, ensure, equal},
    fixtures,
    guest::Guest,
    json::{Kind, count, find, has_fields, items, text},
    plan::{Options, Suite, Tests},
};
use runner::{Boot, Machine};
use serde_json::Value;
use std::time::Duration;

pub(crate) const SUITE: Suite = Suite {
    name: "policies",
    tests: Tests::Own(&[
        ("substitutions_under_load_lose_nothing", under_load),
        ("substitutions_on_one_cpu_lose_nothing", on_one_cpu),
        ("wrong_answers_stop_nobody", wrong_answers),
        ("policies_keep_their_promises", promises),
    ]),
};

pub(crate) const COMMANDS: Suite = Suite {
    name: "policy_commands",
    tests: Tests::Shared(
        || Machine {
            boot: Boot::Direct,
            processors: 2,
            ..Machine::default()
        },
        &[
            ("sched_lists_the_policies", sched),
            ("a_policy_takes_over_and_gives_back", to_and_fro),
            ("a_policy_that_is_not_loaded_is_loaded", not_loaded),
            ("a_rehearsal_changes_nothing", dry_run),
            ("what_is_no_policy_is_refused", refusals),
            ("priority_shows_and_changes", priority),
        ],
    ),
};

/// How long the checks may take under emulation, for each round of the long ones.
const LIMIT: Duration = Duration::from_secs(120);

fn probe(processors: u32, commands: &[String], limit: Duration) -> Verdict {
    let machine = fixtures::exclusively(|tree| tree.machine())?;
    probe_on(
        Machine {
            processors,
            ..machine
        },
        commands,
        limit,
    )
}

fn probe_on(machine: Machine, commands: &[String], limit: Duration) -> Verdict {
    let mut guest = Guest::boot(machine)?;
    for command in commands {
        let output = guest.run_within(command, limit)?;
        println!(
            "figure: {command}: {}",
            output.trim_end().replace('\n', "; ")
        );
        let ok = output.lines().any(|line| line == "ok");
        ensure(ok, || format!("{command}: {output}"))?;
    }
    let policies = guest.json("sched --json")?;
    equal(in_charge(&policies)?, "scheduler_fair")
}

fn under_load(options: &Options) -> Verdict {
    let rounds = options.rounds(60, 1000);
    let command = format!("policy_probe substitutions {rounds}");
    probe(4, &[command], LIMIT * options.rounds(1, 10))
}

fn on_one_cpu(options: &Options) -> Verdict {
    let rounds = options.rounds(60, 1000);
    let command = format!("policy_probe substitutions {rounds}");
    probe(1, &[command], LIMIT * options.rounds(1, 10))
}

fn wrong_answers(options: &Options) -> Verdict {
    let rounds = options.rounds(2, 50);
    let command = format!("policy_probe lies {rounds}");
    for processors in [1, 4] {
        probe(processors, std::slice::from_ref(&command), LIMIT)?;
    }
    Ok(())
}

fn promises(_: &Options) -> Verdict {
    let commands = ["shares", "ageing", "importance"];
    let commands = commands.map(|check| format!("policy_probe {check}"));
    // Time counts instructions, so that what the host does takes no part in the shares.
    let machine = fixtures::exclusively(|tree| tree.machine())?;
    let machine = Machine {
        instruction_count: true,
        ..machine
    };
    probe_on(machine, &commands, LIMIT)
}

fn in_charge(policies: &Value) -> Result<&str, Failure> {
    let mut in_charge = items(policies)?
        .iter()
        .filter(|policy| policy["in_charge"] == true);
    match (in_charge.next(), in_charge.next()) {
        (Some(policy), None) => text(policy, "component"),
        _ => Err(Failure::Wrong(format!("not one in charge: {policies}"))),
    }
}

/// Lets `to` take over from `from`; the report's part about it.
fn substitute(guest: &mut Guest, from: &str, to: &str) -> Result<Value, Failure> {
    let report = guest.json(&format!("swap --substitute {from} {to} --json"))?;
    equal(&report["ok"], &Value::Bool(true))?;
    let substituted = &report["substituted"];
    equal(text(substituted, "interface")?, "scheduling policy")?;
    equal(text(substituted, "from")?, from)?;
    equal(text(substituted, "to")?, to)?;
    equal(in_charge(&guest.json("sched --json")?)?, to)?;
    Ok(substituted.clone())
}

fn sched(guest: &mut Guest) -> Verdict {
    let policies = guest.json("sched --json")?;
    for policy in items(&policies)? {
        let fields = [
            ("component", Kind::Text),
            ("name", Kind::Text),
            ("in_charge", Kind::Truth),
        ];
        has_fields(policy, &fields)?;
    }
    for name in [
        "scheduler_fair",
        "scheduler_priority",
        "scheduler_round_robin",
    ] {
        find(&policies, "component", name)?;
    }
    equal(in_charge(&policies)?, "scheduler_fair")?;
    contains(&guest.run("sched")?, "* scheduler_fair ")
}

fn to_and_fro(guest: &mut Guest) -> Verdict {
    let (fair, other) = ("scheduler_fair", "scheduler_round_robin");
    let output = guest.run(&format!("swap --substitute {fair} {other}"))?;
    contains(
        &output,
        "scheduler_round_robin is now the scheduling policy",
    )?;
    contains(&guest.run("hello")?, "Hello, world!")?;
    let history = guest.json("swap --history --json")?;
    let last = items(&history)?.last().cloned().unwrap_or_default();
    equal(text(&last, "substituted")?, "scheduling policy")?;
    contains(
        &guest.run("swap --history")?,
        "scheduler_fair -> scheduler_round_robin",
    )?;
    contains(
        &guest.run("unload scheduler_round_robin; echo $?")?,
        "in charge",
    )?;
    let report = guest.json("swap --undo --json")?;
    equal(&report["ok"], &Value::Bool(true))?;
    equal(in_charge(&guest.json("sched --json")?)?, fair)?;
    equal(guest.json("swap --history --json")?, Value::Array(vec![]))
}

fn not_loaded(guest: &mut Guest) -> Verdict {
    let (fair, other) = ("scheduler_fair", "scheduler_priority");
    guest.run(&format!("unload {other}"))?;
    let policies = guest.json("sched --json")?;
    ensure(find(&policies, "component", other).is_err(), || {
        format!("unloaded and still there: {policies}")
    })?;
    let report = substitute(guest, fair, other)?;
    equal(&report["loaded"], &Value::Bool(true))?;
    let (ok, output) = guest.succeeds(&format!("unload {fair}"))?;
    ensure(ok, || output)?;
    // Taking the substitution back loads what it needs.
    let report = guest.json("swap --undo --json")?;
    equal(&report["ok"], &Value::Bool(true))?;
    equal(&report["substituted"]["loaded"], &Value::Bool(true))?;
    equal(in_charge(&guest.json("sched --json")?)?, fair)
}

fn dry_run(guest: &mut Guest) -> Verdict {
    let output = guest.run("swap --dry-run --substitute scheduler_fair scheduler_round_robin")?;
    contains(&output, "would become the scheduling policy")?;
    equal(in_charge(&guest.json("sched --json")?)?, "scheduler_fair")
}

fn refusals(guest: &mut Guest) -> Verdict {
    let cases = [
        (
            "scheduler_fair klog",
            "klog: has registered no scheduling policy",
        ),
        ("scheduler_fair hello", "hello is an application"),
        ("scheduler_fair nothing", "nothing"),
        ("scheduler_fair scheduler_fair", "in charge already"),
        (
            "scheduler_round_robin scheduler_fair",
            "is not the scheduling policy in charge; scheduler_fair is",
        ),
        ("klog scheduler_fair", "klog: has registered nothing"),
        (
            "nothing scheduler_fair",
            "nothing: there is no such component",
        ),
    ];
    for (names, wanted) in cases {
        let (ok, output) = guest.succeeds(&format!("swap --substitute {names}"))?;
        ensure(!ok, || format!("{names}: was made"))?;
        contains(&output, wanted)?;
        equal(in_charge(&guest.json("sched --json")?)?, "scheduler_fair")?;
    }
    let output = guest.run("swap --substitute scheduler_fair; echo $?")?;
    ensure(output.ends_with("\n2"), || output)
}

fn priority(guest: &mut Guest) -> Verdict {
    guest.run("sleep 1000 &")?;
    let tasks = guest.json("ps --json")?;
    let sleeper = find(&tasks, "name", "sleep")?;
    equal(count(sleeper, "priority")?, 16)?;
    let id = count(sleeper, "id")?;
    equal(guest.run(&format!("priority {id}"))?.trim(), "16")?;
    guest.run(&format!("priority {id} 20"))?;
    let tasks = guest.json("ps --json")?;
    equal(count(find(&tasks, "name", "sleep")?, "priority")?, 20)?;
    for (words, wanted) in [
        (format!("{id} 32"), "not a level from 0 to 31"),
        ("123456".to_owned(), "there is no task 123456"),
        ("x".to_owned(), "not a task's number"),
    ] {
        let (ok, output) = guest.succeeds(&format!("priority {words}"))?;
        ensure(!ok, || format!("priority {words} succeeded"))?;
        contains(&output, wanted)?;
    }
    guest.run(&format!("kill {id}"))?;
    Ok(())
}
