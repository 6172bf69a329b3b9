//! Says hello: the smallest application, and the first one to swap.
//!
//! The feature `alternate` greets in other words.
#![no_std]
#![forbid(unsafe_code)]

use application::{Arguments, ExitCode, Operands, Usage, println};

application::application! {
    usage: Usage {
        name: "hello",
        summary: "say hello",
        operands: Operands::new("[NAME]", 0, 1),
        ..Usage::NONE
    },
    main: main,
}

#[cfg(not(feature = "alternate"))]
const GREETING: &str = "Hello";

#[cfg(feature = "alternate")]
const GREETING: &str = "Ahoy";

fn main(arguments: &Arguments) -> ExitCode {
    println!("{GREETING}, {}!", arguments.operand().unwrap_or("world"));
    ExitCode::SUCCESS
}
