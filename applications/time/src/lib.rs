//! Measures a command, its loading and linking included.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use application::{Arguments, ExitCode, Json, Operands, OptionSpec, Usage, eprintln, run};

application::application! {
    usage: Usage {
        name: "time",
        summary: "measure a command",
        operands: Operands::many("COMMAND…", 1),
        options: &[OptionSpec::flag("json", "print the measurement as JSON")],
        options_first: true,
        notes: &[
            "Prints the time from before the command is loaded until it has ended, to the error",
            "output, and exits with the command's exit code.",
        ],
        exit_codes: &[(127, "there is no such command")],
    },
    main: main,
}

fn main(arguments: &Arguments) -> ExitCode {
    let begin = clock::now_ns();
    let child = match run(arguments.operands(), task::streams()) {
        Ok(child) => child,
        Err(error) => {
            eprintln!("time: {error}");
            return error.code();
        }
    };
    let started = clock::now_ns();
    let code = child.wait();
    let end = clock::now_ns();
    let load = milliseconds(started.saturating_sub(begin));
    let total = milliseconds(end.saturating_sub(begin));
    if arguments.has("json") {
        let fields = [
            ("ms", total),
            ("load_ms", load),
            ("status", u32::from(code.0).into()),
        ];
        eprintln!("{}", Json::object(fields));
    } else {
        eprintln!("{total} ms, of which loading {load} ms; status {code}");
    }
    code
}

fn milliseconds(ns: u64) -> Json {
    Json::Thousandths(ns / 1000)
}
