//! Makes directories.
#![no_std]
#![forbid(unsafe_code)]

use application::{Arguments, ExitCode, Operands, OptionSpec, Usage, eprintln};

application::application! {
    usage: Usage {
        name: "mkdir",
        summary: "make directories",
        operands: Operands::many("DIRECTORY…", 1),
        options: &[
            OptionSpec::flag("parents", "make those above too; one that is there is no error")
                .short('p'),
        ],
        exit_codes: &[(1, "a directory was not made")],
        ..Usage::NONE
    },
    main: main,
}

fn main(arguments: &Arguments) -> ExitCode {
    let make = match arguments.has("parents") {
        true => vfs::create_directories,
        false => vfs::create_directory,
    };
    let mut code = ExitCode::SUCCESS;
    for path in arguments.operands() {
        if let Err(error) = make(path) {
            eprintln!("mkdir: {error}");
            code = ExitCode::FAILURE;
        }
    }
    code
}
