//! Prints its operands.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use application::{Arguments, ExitCode, Operands, OptionSpec, Usage, print};

application::application! {
    usage: Usage {
        name: "echo",
        summary: "print words, separated by blanks",
        operands: Operands::many("[WORD]…", 0),
        options: &[OptionSpec::flag("no-newline", "print no line break at the end").short('n')],
        options_first: true,
        notes: &["A first word that begins with a dash goes behind '--'."],
        ..Usage::NONE
    },
    main: main,
}

fn main(arguments: &Arguments) -> ExitCode {
    let end = if arguments.has("no-newline") {
        ""
    } else {
        "\n"
    };
    print!("{}{end}", arguments.operands().join(" "));
    ExitCode::SUCCESS
}
