//! Every command has an effect, explains itself, and prints one JSON document where it lists.

use crate::{
    failure::{Failure, Verdict, contains, ensure, equal},
    guest::Guest,
    json::{Kind, count, find, has_fields, items, text},
    plan::{Suite, Tests},
};
use runner::{Boot, Machine};
use serde_json::Value;

pub(crate) const SUITE: Suite = Suite {
    name: "commands",
    tests: Tests::Shared(
        || Machine {
            boot: Boot::Direct,
            ..Machine::default()
        },
        &[
            ("help_lists_what_the_manifest_names", help),
            ("every_command_explains_itself", explains_itself),
            ("every_command_refuses_an_unknown_option", unknown_option),
            ("components_have_the_stated_fields", components),
            ("a_component_that_is_not_there_is_named", no_such_component),
            ("deps_follow_the_live_relocations", deps),
            ("deps_draw_a_graph", deps_dot),
            ("load_and_unload_change_deps_and_symbols", load_and_unload),
            ("unload_refuses_what_is_used", unload_used),
            ("symbols_and_resolve_agree", symbols_and_resolve),
            ("resolve_refuses_what_is_no_text", resolve_nothing),
            ("ps_lists_the_tasks", ps),
            ("top_shows_who_has_the_cpus", top),
            ("kill_ends_a_task", kill),
            ("kill_refuses_what_is_not_there", kill_nobody),
            ("mem_adds_up_and_the_nucleus_is_gone", mem),
            ("log_prints_records_by_level_and_number", log),
            ("uptime_grows", uptime),
            ("time_measures_a_command", time),
            ("sleep_waits", sleep),
            ("bench_measures_every_operation", bench),
            ("head_wc_and_yes_work_in_pipes", pipes),
            ("ctrl_c_ends_a_command", ctrl_c),
            ("every_run_is_an_instance_of_its_own", instances),
        ],
    ),
};

fn names(list: &Value) -> Result<Vec<String>, Failure> {
    items(list)?
        .iter()
        .map(|item| text(item, "name").map(str::to_owned))
        .collect()
}

fn help(guest: &mut Guest) -> Verdict {
    let manifest = std::fs::read_to_string("cfg/components.toml")
        .map_err(|error| Failure::Wrong(format!("cfg/components.toml: {error}")))?;
    let (_, commands) = manifest.split_once("[commands]\n").unwrap_or_default();
    let wanted: Vec<&str> = commands
        .lines()
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| Some(line.split_once(" = ")?.0))
        .collect();
    let listed = guest.json("help --json")?;
    equal(
        names(&listed)?,
        wanted.iter().map(|name| (*name).to_owned()).collect(),
    )?;
    let shown = guest.run("help")?;
    wanted.iter().try_for_each(|name| contains(&shown, name))
}

fn bench(guest: &mut Guest) -> Verdict {
    let rows = guest.json("bench --json")?;
    let rows = items(&rows)?;
    let unit = |row: &Value| {
        if row["name"] == "sleeping-task" {
            "bytes"
        } else {
            "ticks"
        }
    };
    ensure(rows.len() >= 12, || format!("{} operations", rows.len()))?;
    for row in rows {
        let fields = [
            ("name", Kind::Text),
            (unit(row), Kind::Count),
            ("summary", Kind::Text),
        ];
        has_fields(row, &fields)?;
    }
    let spawn = rows.iter().find(|row| row["name"] == "spawn");
    let spawn = spawn.ok_or_else(|| Failure::Wrong("no row for spawn".into()))?;
    ensure(count(spawn, "ticks")? > 0, || {
        format!("nothing measured: {spawn}")
    })?;
    let (ok, output) = guest.succeeds("bench no-such-operation")?;
    ensure(!ok, || "an unknown operation was measured".into())?;
    contains(&output, "no-such-operation")
}

fn explains_itself(guest: &mut Guest) -> Verdict {
    for name in names(&guest.json("help --json")?)? {
        let (ok, output) = guest.succeeds(&format!("{name} --help"))?;
        ensure(ok, || format!("{name} --help failed: {output}"))?;
        contains(&output, &format!("usage: {name}"))?;
        contains(&output, "--help")?;
    }
    Ok(())
}

fn unknown_option(guest: &mut Guest) -> Verdict {
    for name in names(&guest.json("help --json")?)? {
        // `echo` prints it; whoever runs a command passes it on.
        let output = guest.run(&format!("{name} --no-such-option; echo $?"))?;
        if name == "echo" {
            continue;
        }
        contains(&output, "--no-such-option")?;
        ensure(output.ends_with("\n2"), || {
            format!("{name}: status is not 2 in {output:?}")
        })?;
    }
    Ok(())
}

fn components(guest: &mut Guest) -> Verdict {
    let list = guest.json("components --json")?;
    for component in items(&list)? {
        has_fields(
            component,
            &[
                ("name", Kind::Text),
                ("version", Kind::Text),
                ("id", Kind::Text),
                ("state", Kind::Text),
                ("text", Kind::Count),
                ("rodata", Kind::Count),
                ("data", Kind::Count),
                ("unsafe", Kind::Truth),
                ("users", Kind::Count),
            ],
        )?;
        equal(text(component, "id")?.len(), 32)?;
    }
    let first_party = check_first_party(&list)?;
    ensure(first_party >= 25, || {
        format!("only {first_party} first-party components")
    })?;
    ensure(
        list.as_array()
            .is_some_and(|list| list.iter().any(|c| c["name"] == "core")),
        || "core is no component".into(),
    )?;
    ensure(
        find(&list, "name", "core")?["users"].as_u64() > Some(20),
        || "core has no users".into(),
    )?;
    equal(
        &find(&list, "name", "mappings")?["unsafe"],
        &Value::Bool(true),
    )?;
    equal(
        &find(&list, "name", "console")?["unsafe"],
        &Value::Bool(false),
    )?;
    for name in ["core", "console"] {
        contains(&guest.run("components")?, name)?;
    }
    Ok(())
}

/// How many of the listed components belong to this repository.
fn check_first_party(list: &Value) -> Result<usize, Failure> {
    let workspace = check::workspace::Workspace::read();
    let workspace = workspace.map_err(|error| Failure::Wrong(error.to_string()))?;
    let ours = names(list)?
        .into_iter()
        .filter(|name| workspace.packages.contains_key(name));
    Ok(ours.collect::<std::collections::BTreeSet<_>>().len())
}

fn no_such_component(guest: &mut Guest) -> Verdict {
    for command in [
        "components nowhere",
        "deps nowhere",
        "symbols nowhere",
        "load nowhere",
        "unload nowhere",
    ] {
        let (ok, output) = guest.succeeds(command)?;
        ensure(!ok, || format!("{command} succeeded"))?;
        contains(&output, "nowhere")?;
    }
    Ok(())
}

fn has_edge(list: &Value, user: &str, used: &str) -> bool {
    list.as_array().is_some_and(|edges| {
        edges
            .iter()
            .any(|edge| edge["user"] == user && edge["used"] == used)
    })
}

fn deps(guest: &mut Guest) -> Verdict {
    let list = guest.json("deps --json")?;
    for edge in items(&list)? {
        has_fields(
            edge,
            &[
                ("user", Kind::Text),
                ("used", Kind::Text),
                ("symbols", Kind::Count),
            ],
        )?;
    }
    for (user, used) in [
        ("console", "uart"),
        ("shell", "application"),
        ("loader", "linker"),
    ] {
        ensure(has_edge(&list, user, used), || {
            format!("{user} does not use {used} in {list}")
        })?;
    }
    ensure(!has_edge(&list, "uart", "console"), || {
        "uart uses console".into()
    })?;
    let shown = guest.run("deps console")?;
    contains(&shown, "uart")
}

fn deps_dot(guest: &mut Guest) -> Verdict {
    let graph = guest.run("deps --dot")?;
    ensure(graph.starts_with("digraph"), || {
        format!("not a graph: {graph}")
    })?;
    ensure(graph.trim_end().ends_with('}'), || {
        format!("not closed: {graph}")
    })?;
    contains(&graph, "\"console\" -> \"uart\"")
}

fn load_and_unload(guest: &mut Guest) -> Verdict {
    let fails = |guest: &mut Guest| -> Verdict {
        let (ok, _) = guest.succeeds("symbols channel")?;
        ensure(!ok, || "channel is linked".into())
    };
    fails(guest)?;
    let before = guest.json("deps --json")?;
    ensure(guest.succeeds("load channel")?.0, || "load failed".into())?;
    ensure(!has_edge(&before, "channel", "core"), || {
        "channel was there before".into()
    })?;
    ensure(
        has_edge(&guest.json("deps --json")?, "channel", "core"),
        || "channel's relocations are not listed".into(),
    )?;
    items(&guest.json("symbols channel --json")?)?;
    ensure(guest.succeeds("unload channel")?.0, || {
        "unload failed".into()
    })?;
    ensure(
        !has_edge(&guest.json("deps --json")?, "channel", "core"),
        || "channel's relocations are still listed".into(),
    )?;
    fails(guest)
}

fn unload_used(guest: &mut Guest) -> Verdict {
    let (ok, output) = guest.succeeds("unload uart")?;
    ensure(!ok, || "it was unloaded".into())?;
    contains(&output, "console")
}

fn symbols_and_resolve(guest: &mut Guest) -> Verdict {
    let list = guest.json("symbols console --json")?;
    for symbol in items(&list)? {
        has_fields(
            symbol,
            &[
                ("name", Kind::Text),
                ("kind", Kind::Text),
                ("address", Kind::Text),
                ("size", Kind::Count),
                ("stub", Kind::Any),
                ("exported", Kind::Truth),
            ],
        )?;
    }
    let symbol = find(&list, "name", "console::streams")?;
    let place = guest.json(&format!("resolve {} --json", text(symbol, "address")?))?;
    equal(text(&place, "component")?, "console")?;
    equal(text(&place, "function")?, "console::streams")?;
    equal(count(&place, "offset")?, 0)?;
    equal(&place["stub"], &Value::Bool(false))?;
    let place = guest.json(&format!("resolve {} --json", text(symbol, "stub")?))?;
    equal(text(&place, "function")?, "console::streams")?;
    equal(&place["stub"], &Value::Bool(true))
}

fn resolve_nothing(guest: &mut Guest) -> Verdict {
    for address in [
        "0",
        "deadbeef",
        "ffffffffffffffff",
        "nonsense",
        "10000000000000000",
    ] {
        let (ok, output) = guest.succeeds(&format!("resolve {address}"))?;
        ensure(!ok, || format!("{address} is something: {output}"))?;
    }
    Ok(())
}

fn ps(guest: &mut Guest) -> Verdict {
    let list = guest.json("ps --json")?;
    for task in items(&list)? {
        has_fields(
            task,
            &[
                ("id", Kind::Count),
                ("name", Kind::Text),
                ("state", Kind::Text),
                ("cpu", Kind::Count),
                ("cpu_ms", Kind::Number),
            ],
        )?;
    }
    equal(text(find(&list, "name", "ps")?, "state")?, "running")?;
    find(&list, "name", "shell")
        .and(find(&list, "name", "push"))
        .map(drop)
}

fn top(guest: &mut Guest) -> Verdict {
    let looks = guest.run("top --count 2 --interval 200 --json")?;
    let looks: Vec<&str> = looks.lines().filter(|line| line.starts_with('{')).collect();
    equal(looks.len(), 2)?;
    let look: Value = serde_json::from_str(looks[1])
        .map_err(|error| Failure::Wrong(format!("{error} in {}", looks[1])))?;
    let cpus = items(&look["cpus"])?;
    equal(cpus.len(), 1)?;
    for task in items(&look["tasks"])? {
        let fields = [
            ("id", Kind::Count),
            ("name", Kind::Text),
            ("component", Kind::Text),
            ("cpu", Kind::Count),
            ("priority", Kind::Count),
            ("idle", Kind::Truth),
            ("percent", Kind::Any),
        ];
        has_fields(task, &fields)?;
    }
    contains(&guest.run("top -n 1 -i 50")?, "cpu0 ")?;
    let (ok, output) = guest.succeeds("top --count none")?;
    ensure(!ok, || "a count of none was taken".into())?;
    contains(&output, "'none' is not a number above 0")
}

fn kill(guest: &mut Guest) -> Verdict {
    guest.run("sleep 1000 &")?;
    let id = count(find(&guest.json("ps --json")?, "name", "sleep")?, "id")?;
    // The shell also says that the job has ended, before or after this.
    contains(&guest.run(&format!("kill {id} && echo killed"))?, "killed")?;
    guest.run("sleep 0.1")?;
    let list = guest.json("ps --json")?;
    ensure(find(&list, "name", "sleep").is_err(), || {
        format!("still there: {list}")
    })
}

fn kill_nobody(guest: &mut Guest) -> Verdict {
    let (ok, output) = guest.succeeds("kill 99999")?;
    ensure(!ok, || "it succeeded".into())?;
    contains(&output, "99999")?;
    let tasks = guest.json("ps --json")?;
    for name in ["init", "reaper", "push"] {
        let id = count(find(&tasks, "name", name)?, "id")?;
        let (ok, output) = guest.succeeds(&format!("kill {id}"))?;
        ensure(!ok, || format!("{name} was killed"))?;
        contains(&output, "the system needs it")?;
    }
    Ok(())
}

fn mem(guest: &mut Guest) -> Verdict {
    let memory = guest.json("mem --json")?;
    let [total, used, free] = ["total", "used", "free"].map(|name| count(&memory, name));
    equal(used? + free?, total?)?;
    equal(count(&memory, "nucleus")?, 0)?;
    has_fields(
        &memory,
        &[
            ("leaks", Kind::List),
            ("retired", Kind::Count),
            ("heap_used", Kind::Count),
        ],
    )?;
    contains(&guest.run("mem")?, "free")
}

fn log(guest: &mut Guest) -> Verdict {
    let log = guest.json("log --json")?;
    let records = items(&log["records"])?.clone();
    for record in &records {
        has_fields(
            record,
            &[
                ("time_ns", Kind::Count),
                ("level", Kind::Text),
                ("target", Kind::Text),
                ("message", Kind::Text),
            ],
        )?;
    }
    ensure(
        records
            .iter()
            .any(|r| r["message"].as_str().is_some_and(|m| m.contains("nucleus"))),
        || format!("no record of the boot in {log}"),
    )?;
    let last = guest.run("log -n 2")?;
    equal(last.lines().count(), 2)?;
    let bad = guest.json("log --json --level error")?;
    ensure(
        bad["records"]
            .as_array()
            .is_some_and(|r| r.len() < records.len()),
        || bad.to_string(),
    )
}

fn uptime(guest: &mut Guest) -> Verdict {
    let before = count(&guest.json("uptime --json")?, "uptime_ns")?;
    guest.run("sleep 0.2")?;
    let after = count(&guest.json("uptime --json")?, "uptime_ns")?;
    ensure(after >= before + 200_000_000, || {
        format!("{before} ns, then {after} ns")
    })
}

fn time(guest: &mut Guest) -> Verdict {
    let measured = guest.json("time --json hello")?;
    has_fields(
        &measured,
        &[
            ("ms", Kind::Number),
            ("load_ms", Kind::Number),
            ("status", Kind::Count),
        ],
    )?;
    let output = guest.run("time hello")?;
    contains(&output, "Hello, world!")?;
    contains(&output, "ms")
}

fn sleep(guest: &mut Guest) -> Verdict {
    let measured = guest.json("time --json sleep 0.3")?;
    ensure(measured["ms"].as_f64() >= Some(300.0), || {
        measured.to_string()
    })
}

fn pipes(guest: &mut Guest) -> Verdict {
    equal(
        guest.run("yes again | head -n 3")?.as_str(),
        "again\nagain\nagain",
    )?;
    equal(guest.run("echo one two | wc -w")?.trim(), "2")?;
    let counted = guest.json("echo one two | wc --json")?;
    ensure(counted.is_object(), || counted.to_string())?;
    equal(guest.run("yes | head -n 1000 | wc -l")?.trim(), "1000")
}

fn ctrl_c(guest: &mut Guest) -> Verdict {
    guest.send(b"yes spam\r")?;
    guest.expect("\nspam\nspam\n")?;
    guest.send(b"\x03")?;
    guest.expect(crate::guest::PROMPT)?;
    guest.send(b"sleep 1000\r")?;
    guest.expect("sleep 1000\n")?;
    guest.send(b"\x03")?;
    guest.expect(crate::guest::PROMPT)?;
    equal(guest.run("echo $?")?.as_str(), "130")
}

fn instances(guest: &mut Guest) -> Verdict {
    guest.run("sleep 1000 &")?;
    guest.run("sleep 1000 &")?;
    let list = guest.json("components --json")?;
    let running = items(&list)?
        .iter()
        .filter(|c| c["name"] == "sleep" && c["state"] == "instance");
    equal(running.count(), 2)?;
    for task in items(&guest.json("ps --json")?)?
        .iter()
        .filter(|task| task["name"] == "sleep")
    {
        guest.run(&format!("kill {}", task["id"]))?;
    }
    guest.run("sleep 0.1")?;
    let list = guest.json("components --json")?;
    ensure(find(&list, "name", "sleep").is_err(), || {
        format!("still there: {list}")
    })
}
