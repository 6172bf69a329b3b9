//! Names what an address belongs to.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use application::{
    Arguments, ExitCode, Json, Operands, OptionSpec, Usage, eprintln, fail, println,
};
use loader::{Location, NoLines};

application::application! {
    usage: Usage {
        name: "resolve",
        summary: "name function and line that an address belongs to",
        operands: Operands::new("ADDR", 1, 1),
        options: &[OptionSpec::JSON],
        notes: &["ADDR is hexadecimal, with or without 0x; 'symbols' shows some."],
        exit_codes: &[(1, "the address lies in no component's text and in no stub")],
        ..Usage::NONE
    },
    main: main,
}

fn main(arguments: &Arguments) -> ExitCode {
    let operand = arguments.operand().unwrap_or("");
    let digits = operand.strip_prefix("0x").unwrap_or(operand);
    let Ok(address) = u64::from_str_radix(digits, 16) else {
        eprintln!("resolve: '{operand}' is not a hexadecimal address such as 0xffffffff80001000");
        return ExitCode::USAGE;
    };
    let Some(location) = loader::resolve(address) else {
        return fail(
            "resolve",
            format!("{address:#x} lies in no component's text"),
        );
    };
    let mut lines = Vec::new();
    let known = loader::CodePlace::of(address).map(|place| {
        loader::lines_of(place, &mut |line| lines.push(line.to_string()))
            .map_err(|reason| (reason, place))
    });
    if arguments.has("json") {
        println!("{}", describe(address, &location, &lines));
        return ExitCode::SUCCESS;
    }
    println!("{location}");
    match known {
        Some(Ok(())) => println!("at {}", lines.join(", inlined at ")),
        Some(Err((reason, place))) if reason != NoLines::NoLine => {
            println!("no lines: {reason}; on the host:");
            println!("strake resolve {}{place}", location.component);
        }
        _ => {}
    }
    ExitCode::SUCCESS
}

fn describe(address: u64, location: &Location, lines: &[String]) -> Json {
    Json::object([
        ("address", format!("{address:#018x}").into()),
        ("component", (&location.component).into()),
        ("function", (&location.function).into()),
        ("offset", location.offset.into()),
        ("stub", location.stub.into()),
        ("retired", location.retired.into()),
        ("lines", Json::array(lines)),
    ])
}
