//! Checks text, constants and entry stubs for damage, and lists what was found.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use application::{Arguments, ExitCode, Json, OptionSpec, Usage, println};
use integrity::{Damage, Outcome, Statistics};

application::application! {
    usage: Usage {
        name: "integrity",
        summary: "check text and constants for damage",
        options: &[
            OptionSpec::flag("check", "check everything now"),
            OptionSpec::JSON,
        ],
        notes: &[
            "A task checks everything all the time, in small bites, and every CPU exception",
            "checks it at once. What is damaged is made anew from the object in the archive.",
        ],
        exit_codes: &[(1, "something is damaged and could not be repaired")],
        ..Usage::NONE
    },
    main: main,
}

fn main(arguments: &Arguments) -> ExitCode {
    let checked = arguments.has("check").then(integrity::check_now);
    let statistics = integrity::statistics();
    let damages = integrity::damages();
    if arguments.has("json") {
        println!(
            "{}",
            Json::object([
                ("checked", checked.map_or(Json::Null, describe_outcome)),
                ("statistics", describe_statistics(statistics)),
                ("damages", Json::array(damages.iter().map(describe))),
            ])
        );
    } else {
        for damage in &damages {
            println!("{damage}");
        }
        if let Some(Outcome {
            pages,
            stubs,
            damaged,
            left,
        }) = checked
        {
            println!(
                "checked {pages} pages and {stubs} stubs: {damaged} words damaged, {left} left"
            );
        }
        let Statistics {
            passes,
            damaged,
            repaired,
            resumed,
            ..
        } = statistics;
        println!(
            "{passes} passes; {damaged} words damaged, {repaired} repaired, {resumed} instructions run again"
        );
    }
    match checked {
        Some(outcome) if outcome.left > 0 => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}

fn describe_outcome(outcome: Outcome) -> Json {
    Json::object([
        ("pages", outcome.pages.into()),
        ("stubs", outcome.stubs.into()),
        ("damaged", outcome.damaged.into()),
        ("left", outcome.left.into()),
    ])
}

fn describe_statistics(statistics: Statistics) -> Json {
    Json::object([
        ("passes", statistics.passes.into()),
        ("pages", statistics.pages.into()),
        ("faults", statistics.faults.into()),
        ("damaged", statistics.damaged.into()),
        ("repaired", statistics.repaired.into()),
        ("resumed", statistics.resumed.into()),
    ])
}

fn describe(damage: &Damage) -> Json {
    Json::object([
        ("time_ns", damage.time_ns.into()),
        ("component", damage.component().into()),
        ("part", damage.part.as_str().into()),
        ("address", Json::text(format_args!("{:#x}", damage.address))),
        ("offset", damage.offset.into()),
        ("found", Json::text(format_args!("{:#x}", damage.found))),
        ("wanted", Json::text(format_args!("{:#x}", damage.wanted))),
        ("repaired", damage.repaired.into()),
    ])
}
