//! Lists the symbols of a component, with where they are now.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::{format, string::String};
use application::{Arguments, ExitCode, Json, Operands, OptionSpec, Usage, fail, println};
use loader::SymbolInfo;

application::application! {
    usage: Usage {
        name: "symbols",
        summary: "list a component's symbols",
        operands: Operands::new("COMPONENT", 1, 1),
        options: &[OptionSpec::JSON],
        notes: &["STUB is the address by which a function is called from other components."],
        exit_codes: &[(1, "the component is not linked")],
        ..Usage::NONE
    },
    main: main,
}

fn main(arguments: &Arguments) -> ExitCode {
    let mut symbols = match loader::symbols(arguments.operand().unwrap_or("")) {
        Ok(symbols) => symbols,
        Err(error) => return fail("symbols", error),
    };
    symbols.sort_by_key(|symbol| symbol.address);
    if arguments.has("json") {
        println!("{}", Json::array(symbols.iter().map(describe)));
        return ExitCode::SUCCESS;
    }
    println!(
        "{:<18} {:<18} {:>8} {:<8} NAME",
        "ADDRESS", "STUB", "SIZE", "KIND"
    );
    for symbol in &symbols {
        let stub = symbol.stub.map_or_else(|| String::from("-"), hexadecimal);
        let kind = symbol.kind.as_str();
        println!(
            "{} {stub:<18} {:>8} {kind:<8} {}",
            hexadecimal(symbol.address),
            symbol.size,
            symbol.name
        );
    }
    ExitCode::SUCCESS
}

fn describe(symbol: &SymbolInfo) -> Json {
    Json::object([
        ("name", (&symbol.name).into()),
        ("kind", symbol.kind.as_str().into()),
        ("address", hexadecimal(symbol.address).into()),
        ("size", symbol.size.into()),
        ("stub", symbol.stub.map(hexadecimal).into()),
        ("exported", symbol.exported.into()),
    ])
}

/// Addresses are strings in JSON too: many readers of JSON have no 64-bit integers.
fn hexadecimal(address: u64) -> String {
    format!("{address:#018x}")
}
