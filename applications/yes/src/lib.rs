//! Prints a line again and again, until nobody reads it or it is killed.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::string::String;
use application::{Arguments, ExitCode, Operands, Usage, print};

application::application! {
    usage: Usage {
        name: "yes",
        summary: "print a line again and again",
        operands: Operands::many("[WORD]…", 0),
        exit_codes: &[(130, "it was killed"), (141, "nobody read its output any more")],
        ..Usage::NONE
    },
    main: main,
}

fn main(arguments: &Arguments) -> ExitCode {
    let mut line = match arguments.operands() {
        [] => String::from("y"),
        words => words.join(" "),
    };
    line.push('\n');
    loop {
        print!("{line}");
    }
}
