//! Loads a component, and what it needs.
#![no_std]
#![forbid(unsafe_code)]

use application::{Arguments, ExitCode, Operands, Usage, fail};

application::application! {
    usage: Usage {
        name: "load",
        summary: "load a component",
        operands: Operands::new("COMPONENT", 1, 1),
        notes: &["What it imports from is loaded first. Nothing happens if it is loaded."],
        exit_codes: &[(1, "it cannot be loaded; the message says why")],
        ..Usage::NONE
    },
    main: main,
}

fn main(arguments: &Arguments) -> ExitCode {
    match loader::load(arguments.operand().unwrap_or("")) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => fail("load", error),
    }
}
