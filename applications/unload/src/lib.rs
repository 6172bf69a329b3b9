//! Takes out a component that nobody uses.
#![no_std]
#![forbid(unsafe_code)]

use application::{Arguments, ExitCode, Operands, Usage, fail};

application::application! {
    usage: Usage {
        name: "unload",
        summary: "unload a component that nobody uses",
        operands: Operands::new("COMPONENT", 1, 1),
        notes: &["'components' shows the number of users of each."],
        exit_codes: &[(1, "it cannot be unloaded; the message says why")],
        ..Usage::NONE
    },
    main: main,
}

fn main(arguments: &Arguments) -> ExitCode {
    match loader::unload(arguments.operand().unwrap_or("")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail("unload", error),
    }
}
