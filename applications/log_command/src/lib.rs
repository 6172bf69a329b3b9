//! Prints the log.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use application::{Arguments, ExitCode, Json, OptionSpec, Usage, eprintln, println};
use klog::Record;
use log::LevelFilter;

application::application! {
    usage: Usage {
        name: "log",
        summary: "print the log",
        options: &[
            OptionSpec::JSON,
            OptionSpec::value("level", "LEVEL", "only this bad or worse: error, warn, info, debug")
                .short('l'),
            OptionSpec::value("lines", "N", "only the last N lines").short('n'),
        ],
        notes: &["The log is a ring: the oldest records fall out, and their number is told."],
        ..Usage::NONE
    },
    main: main,
}

fn main(arguments: &Arguments) -> ExitCode {
    let level = arguments
        .value("level")
        .map_or(Ok(LevelFilter::Trace), str::parse);
    let lines = arguments.value("lines").map_or(Ok(usize::MAX), str::parse);
    let Ok(level) = level else {
        eprintln!("log: a LEVEL is one of error, warn, info, debug, trace");
        return ExitCode::USAGE;
    };
    let Ok(lines) = lines else {
        eprintln!("log: N is a number of lines, such as --lines=20");
        return ExitCode::USAGE;
    };
    let mut records = klog::records();
    records.retain(|record| record.level <= level);
    records.drain(..records.len().saturating_sub(lines));
    let dropped = klog::statistics().dropped;
    if arguments.has("json") {
        let records = Json::array(records.iter().map(describe));
        println!(
            "{}",
            Json::object([("dropped", dropped.into()), ("records", records)])
        );
        return ExitCode::SUCCESS;
    }
    if dropped > 0 {
        println!("({dropped} older records have fallen out)");
    }
    for record in &records {
        println!("{record}");
    }
    ExitCode::SUCCESS
}

fn describe(record: &Record) -> Json {
    Json::object([
        ("time_ns", record.time_ns.into()),
        ("level", record.level.as_str().into()),
        ("target", record.target().into()),
        ("message", record.message().into()),
    ])
}
