//! Replaces components while they run.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::{format, string::String, vec::Vec};
use application::{
    Arguments, ExitCode, Json, Operands, OptionSpec, Usage, eprintln, fail, println,
};
use swap::{Item, PastSwap, Report, Request, Step};

application::application! {
    usage: Usage {
        name: "swap",
        summary: "replace components while they run",
        operands: Operands::many("COMPONENT[=BUILD]…", 0),
        options: &[
            OptionSpec::JSON,
            OptionSpec::flag("dry-run", "check and prepare everything, change nothing").short('n'),
            OptionSpec::flag("undo", "take the last swap back"),
            OptionSpec::flag("substitute", "put the second component in charge instead of the first"),
            OptionSpec::flag("history", "list the swaps that can be taken back"),
            OptionSpec::flag("state-hash", "print the hash of symbols, slots and the named statics"),
            OptionSpec::value("fail-after", "STEP", "fail after this step (for tests)"),
        ],
        notes: &[
            "BUILD is the name of an alternate, a content id, or an archive member; without it, the",
            "build that the image carries by default. Several components are swapped as one: all or",
            "none. With --substitute two components are named that do the same thing in different ways,",
            "such as the scheduling policies that 'sched' lists; the second one is loaded if need be.",
            "Steps: find parse compare survivors allocate enter link seal.",
        ],
        exit_codes: &[(1, "refused; nothing has changed, and the message says why")],
        ..Usage::NONE
    },
    main: main,
}

fn main(arguments: &Arguments) -> ExitCode {
    let modes = ["undo", "history", "state-hash", "substitute"];
    let mode = modes.into_iter().find(|mode| arguments.has(mode));
    let takes_names = matches!(mode, None | Some("state-hash" | "substitute"));
    let names = arguments.operands().len();
    if let Some(mode) = mode.filter(|_| names > 0 && !takes_names) {
        eprintln!("swap: --{mode} takes no names");
        return ExitCode::USAGE;
    }
    if names == 0 && mode.is_none() {
        eprintln!("swap: name the components to swap, or --undo, --history or --state-hash");
        return ExitCode::USAGE;
    }
    let nameless = |text: &&String| text.is_empty() || text.starts_with('=');
    if let Some(text) = arguments.operands().iter().find(nameless) {
        eprintln!("swap: '{text}' names no component");
        return ExitCode::USAGE;
    }
    match mode {
        Some("history") => list_history(arguments),
        Some("state-hash") => print_state_hash(arguments),
        Some("substitute") => substitute(arguments),
        Some(_) => show(arguments, &swap::undo(arguments.has("dry-run"))),
        None => replace(arguments),
    }
}

fn replace(arguments: &Arguments) -> ExitCode {
    if let Some(name) = arguments.value("fail-after") {
        let Some(step) = Step::from_name(name) else {
            eprintln!("swap: there is no step '{name}'; 'swap --help' names them");
            return ExitCode::USAGE;
        };
        swap::fail_after(Some(step));
    }
    let request = Request {
        items: arguments
            .operands()
            .iter()
            .map(|text| Item::parse(text))
            .collect(),
        dry_run: arguments.has("dry-run"),
        ..Request::default()
    };
    let report = swap::swap(&request);
    // A swap that was refused before the step leaves the next one alone.
    swap::fail_after(None);
    show(arguments, &report)
}

fn substitute(arguments: &Arguments) -> ExitCode {
    let [from, to] = arguments.operands() else {
        eprintln!("swap: --substitute takes two names, of the component in charge and of the next");
        return ExitCode::USAGE;
    };
    show(
        arguments,
        &swap::substitute(from, to, arguments.has("dry-run")),
    )
}

fn show(arguments: &Arguments, report: &Report) -> ExitCode {
    if arguments.has("json") {
        println!("{}", report.to_json());
    } else if report.is_ok() {
        println!("{report}");
    } else {
        eprintln!("swap: {report}");
    }
    if report.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn list_history(arguments: &Arguments) -> ExitCode {
    let swaps = swap::history();
    if arguments.has("json") {
        println!("{}", Json::array(swaps.iter().map(describe)));
        return ExitCode::SUCCESS;
    }
    if swaps.is_empty() {
        println!("no swap can be taken back");
    }
    for swap in &swaps {
        let separator = if swap.substituted.is_some() {
            " -> "
        } else {
            ", "
        };
        println!(
            "{} at {} ms: {}{}",
            swap.number,
            milliseconds(swap),
            swap.components.join(separator),
            swap.substituted
                .map_or(String::new(), |interface| format!(" ({interface})")),
        );
        for (name, old, new) in &swap.versions {
            println!("    {name}: {old:032x} -> {new:032x}");
        }
    }
    ExitCode::SUCCESS
}

fn milliseconds(swap: &PastSwap) -> Json {
    Json::Thousandths(swap.time_ns / 1000)
}

fn describe(swap: &PastSwap) -> Json {
    let versions = swap.versions.iter().map(|(name, old, new)| {
        Json::object([
            ("name", name.into()),
            ("old", format!("{old:032x}").into()),
            ("new", format!("{new:032x}").into()),
        ])
    });
    Json::object([
        ("number", swap.number.into()),
        ("time_ms", milliseconds(swap)),
        ("components", Json::array(&swap.components)),
        (
            "substituted",
            swap.substituted.map_or(Json::Null, Into::into),
        ),
        ("versions", Json::array(versions)),
    ])
}

fn print_state_hash(arguments: &Arguments) -> ExitCode {
    let names: Vec<&str> = arguments.operands().iter().map(String::as_str).collect();
    match loader::hash_of_state(&names) {
        Ok(hash) => {
            println!("{hash:016x}");
            ExitCode::SUCCESS
        }
        Err(error) => fail("swap", error),
    }
}
