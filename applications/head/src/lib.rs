//! Prints the first lines of its input.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use application::{Arguments, ExitCode, Lines, OptionSpec, Usage, eprintln, fail, println};

application::application! {
    usage: Usage {
        name: "head",
        summary: "print the first lines of the input",
        options: &[OptionSpec::value("lines", "N", "how many; 10 if nothing is said").short('n')],
        exit_codes: &[(1, "the input cannot be read")],
        ..Usage::NONE
    },
    main: main,
}

fn main(arguments: &Arguments) -> ExitCode {
    let Ok(count) = arguments.value("lines").map_or(Ok(10), str::parse::<usize>) else {
        eprintln!("head: N is a number of lines, such as --lines=20");
        return ExitCode::USAGE;
    };
    for line in Lines::new().take(count) {
        match line {
            Ok(line) => println!("{line}"),
            Err(error) => return fail("head", error),
        }
    }
    ExitCode::SUCCESS
}
