//! Says how long the system runs.
#![no_std]
#![forbid(unsafe_code)]

use application::{Arguments, ExitCode, Json, OptionSpec, Usage, println};

application::application! {
    usage: Usage {
        name: "uptime",
        summary: "say how long the system runs",
        options: &[OptionSpec::JSON],
        ..Usage::NONE
    },
    main: main,
}

fn main(arguments: &Arguments) -> ExitCode {
    let ns = clock::now_ns();
    if arguments.has("json") {
        println!("{}", Json::object([("uptime_ns", ns.into())]));
    } else {
        let seconds = ns / 1_000_000_000;
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        let (seconds, millis) = (seconds % 60, ns / 1_000_000 % 1000);
        println!("up {hours}:{minutes:02}:{seconds:02}.{millis:03}");
    }
    ExitCode::SUCCESS
}
