//! Swapping what the image carries: commits whole, can be taken back, or is refused without a trace.

use crate::{
    failure::{Failure, Verdict, contains, ensure, equal},
    guest::Guest,
    json::{Kind, count, find, has_fields, items, text},
    plan::{Suite, Tests},
};
use runner::{Boot, Machine};
use serde_json::Value;

pub(crate) const SUITE: Suite = Suite {
    name: "swap",
    tests: Tests::Shared(
        || Machine {
            boot: Boot::Direct,
            ..Machine::default()
        },
        &[
            ("hello_changes_and_comes_back", hello),
            ("the_console_changes_while_it_is_in_use", console),
            ("klog_changes_and_keeps_its_records", klog),
            ("several_components_are_one_transaction", several),
            ("a_dry_run_changes_nothing", dry_run),
            ("the_same_build_is_nothing_to_do", same_build),
            ("an_unknown_name_is_refused", unknown_name),
            ("an_unknown_build_is_refused", unknown_build),
            ("another_components_object_is_refused", other_component),
            ("one_bad_name_refuses_the_whole_transaction", one_bad),
            ("history_lists_what_can_be_taken_back", history),
            ("undo_without_a_swap_is_refused", nothing_to_undo),
            (
                "a_failure_after_each_step_changes_nothing",
                injected_failures,
            ),
            ("deps_and_symbols_differ_after_a_swap", deps_and_symbols),
            ("the_state_of_a_static_is_kept", state_is_kept),
            ("a_hundred_swaps_to_and_fro", to_and_fro),
        ],
    ),
};

/// Runs a swap that must be made.
fn swap(guest: &mut Guest, what: &str) -> Result<Value, Failure> {
    let report = guest.json(&format!("swap {what} --json"))?;
    check_form(&report)?;
    equal(&report["ok"], &Value::Bool(true))?;
    equal(&report["refused"], &Value::Null)?;
    Ok(report)
}

/// Runs a swap that must be refused; the refusal.
fn refused(guest: &mut Guest, what: &str) -> Result<Value, Failure> {
    let before = state_hash(guest)?;
    let output = guest.run(&format!("swap {what} --json; echo $?"))?;
    ensure(output.ends_with("\n1"), || {
        format!("status is not 1 in {output:?}")
    })?;
    let line = output
        .lines()
        .find(|line| line.starts_with('{'))
        .unwrap_or_default();
    let report: Value = serde_json::from_str(line)
        .map_err(|error| Failure::Wrong(format!("{error} in {output:?}")))?;
    check_form(&report)?;
    equal(&report["ok"], &Value::Bool(false))?;
    has_fields(
        &report["refused"],
        &[("component", Kind::Text), ("reason", Kind::Text)],
    )?;
    equal(state_hash(guest)?, before)?;
    Ok(report["refused"].clone())
}

fn check_form(report: &Value) -> Verdict {
    has_fields(
        report,
        &[
            ("ok", Kind::Truth),
            ("swapped", Kind::List),
            ("kept_old", Kind::List),
            ("refused", Kind::Any),
            ("ms", Kind::Any),
            ("slots", Kind::Count),
        ],
    )?;
    let steps = ["prepare", "quiesce", "commit", "reclaim"].map(|step| (step, Kind::Any));
    has_fields(&report["ms"], &steps)
}

/// Hash of the symbol map, the slots and the named statics.
pub(crate) fn state_hash(guest: &mut Guest) -> Result<String, Failure> {
    Ok(guest.run("swap --state-hash")?.trim().to_owned())
}

fn id_of(guest: &mut Guest, name: &str) -> Result<String, Failure> {
    let list = guest.json("components --json")?;
    Ok(text(find(&list, "name", name)?, "id")?.to_owned())
}

/// Address of a function's code.
fn address_of(guest: &mut Guest, component: &str, function: &str) -> Result<String, Failure> {
    let list = guest.json(&format!("symbols {component} --json"))?;
    Ok(text(find(&list, "name", function)?, "address")?.to_owned())
}

fn hello(guest: &mut Guest) -> Verdict {
    contains(&guest.run("hello")?, "Hello, world!")?;
    swap(guest, "hello=alternate")?;
    contains(&guest.run("hello")?, "Ahoy, world!")?;
    swap(guest, "--undo")?;
    contains(&guest.run("hello")?, "Hello, world!")
}

fn console(guest: &mut Guest) -> Verdict {
    let (before, address) = (
        id_of(guest, "console")?,
        address_of(guest, "console", "console::streams")?,
    );
    ensure(!guest.run("hello --wrong")?.starts_with("! "), || {
        "marked before".into()
    })?;
    let report = swap(guest, "console=alternate")?;
    ensure(count(&report, "slots")? > 0, || report.to_string())?;
    ensure(guest.run("hello --wrong")?.starts_with("! "), || {
        "not marked".into()
    })?;
    ensure(id_of(guest, "console")? != before, || "the same id".into())?;
    ensure(
        address_of(guest, "console", "console::streams")? != address,
        || "the same address".into(),
    )?;
    swap(guest, "--undo")?;
    ensure(!guest.run("hello --wrong")?.starts_with("! "), || {
        "marked after".into()
    })?;
    equal(id_of(guest, "console")?, before)
}

fn klog(guest: &mut Guest) -> Verdict {
    let records = guest.json("log --json")?;
    let line = guest.run("log -n 1")?;
    swap(guest, "klog=alternate")?;
    let after = guest.json("log --json")?;
    ensure(
        items(&after["records"])?.len() >= items(&records["records"])?.len(),
        || "records were lost".into(),
    )?;
    equal(&after["records"][0], &records["records"][0])?;
    ensure(guest.run("log -n 1")? != line, || "the same format".into())?;
    swap(guest, "--undo").map(drop)
}

fn several(guest: &mut Guest) -> Verdict {
    let report = swap(guest, "console=alternate klog=alternate hello=alternate")?;
    equal(items(&report["swapped"])?.len(), 3)?;
    contains(&guest.run("hello")?, "Ahoy")?;
    let report = swap(guest, "--undo")?;
    equal(items(&report["swapped"])?.len(), 3)?;
    contains(&guest.run("hello")?, "Hello")
}

fn dry_run(guest: &mut Guest) -> Verdict {
    let before = state_hash(guest)?;
    let report = swap(guest, "console=alternate hello=alternate --dry-run")?;
    ensure(!items(&report["swapped"])?.is_empty(), || {
        report.to_string()
    })?;
    equal(state_hash(guest)?, before)?;
    contains(&guest.run("hello")?, "Hello")
}

fn same_build(guest: &mut Guest) -> Verdict {
    let report = swap(guest, "console")?;
    equal(&report["swapped"], &Value::Array(vec![]))?;
    equal(count(&report, "slots")?, 0)
}

fn unknown_name(guest: &mut Guest) -> Verdict {
    equal(text(&refused(guest, "nowhere")?, "component")?, "nowhere")?;
    let output = guest.run("swap nowhere")?;
    contains(&output, "nowhere")
}

fn unknown_build(guest: &mut Guest) -> Verdict {
    let refusal = refused(guest, "console=nonsense")?;
    equal(text(&refusal, "component")?, "console")?;
    contains(text(&refusal, "reason")?, "nonsense")
}

fn other_component(guest: &mut Guest) -> Verdict {
    let refusal = refused(guest, "console=klog")?;
    equal(text(&refusal, "component")?, "console")?;
    contains(text(&refusal, "reason")?, "klog")
}

fn one_bad(guest: &mut Guest) -> Verdict {
    let refusal = refused(guest, "hello=alternate nowhere")?;
    equal(text(&refusal, "component")?, "nowhere")?;
    contains(&guest.run("hello")?, "Hello")
}

fn history(guest: &mut Guest) -> Verdict {
    swap(guest, "console=alternate")?;
    let history = guest.json("swap --history --json")?;
    contains(
        &items(&history)?
            .last()
            .map(Value::to_string)
            .unwrap_or_default(),
        "console",
    )?;
    contains(&guest.run("swap --history")?, "console")?;
    swap(guest, "--undo").map(drop)
}

fn nothing_to_undo(guest: &mut Guest) -> Verdict {
    let history = guest.json("swap --history --json")?;
    equal(&history, &Value::Array(vec![]))?;
    refused(guest, "--undo").map(drop)
}

fn injected_failures(guest: &mut Guest) -> Verdict {
    const STEPS: [&str; 8] = [
        "find",
        "parse",
        "compare",
        "survivors",
        "allocate",
        "enter",
        "link",
        "seal",
    ];
    for step in STEPS {
        let refusal = refused(
            guest,
            &format!("console=alternate klog=alternate --fail-after {step}"),
        )?;
        contains(text(&refusal, "reason")?, step)?;
    }
    // And then it works.
    swap(guest, "console=alternate klog=alternate")?;
    swap(guest, "--undo").map(drop)
}

fn deps_and_symbols(guest: &mut Guest) -> Verdict {
    let symbols = guest.json("symbols klog --json")?;
    let deps = guest.json("deps --json")?;
    swap(guest, "klog=alternate")?;
    ensure(guest.json("symbols klog --json")? != symbols, || {
        "the same symbols".into()
    })?;
    let after = guest.json("deps --json")?;
    let edges = |list: &Value| {
        list.as_array()
            .map(|list| list.iter().filter(|edge| edge["user"] == "klog").count())
    };
    ensure(edges(&after) > Some(0) && edges(&deps) > Some(0), || {
        "klog uses nothing".into()
    })?;
    swap(guest, "--undo").map(drop)
}

fn state_is_kept(guest: &mut Guest) -> Verdict {
    // The addresses of the ring's statics are the same in every build, those of its code are not.
    let address = |list: &Value, kind: &str| -> Vec<String> {
        let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
        let wanted = list.iter().filter(|symbol| symbol["kind"] == kind);
        wanted
            .map(|symbol| format!("{} {}", symbol["name"], symbol["address"]))
            .collect()
    };
    let before = guest.json("symbols klog --json")?;
    swap(guest, "klog=alternate")?;
    let after = guest.json("symbols klog --json")?;
    swap(guest, "--undo")?;
    ensure(!address(&before, "static").is_empty(), || {
        "klog has no statics".into()
    })?;
    equal(address(&after, "static"), address(&before, "static"))?;
    ensure(
        address(&after, "function") != address(&before, "function"),
        || "the same code".into(),
    )
}

fn to_and_fro(guest: &mut Guest) -> Verdict {
    let before = state_hash(guest)?;
    for _ in 0..50 {
        swap(guest, "console=alternate")?;
        swap(guest, "--undo")?;
    }
    equal(state_hash(guest)?, before)
}
