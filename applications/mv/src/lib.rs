//! Moves files and directories, or renames them.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use application::{Arguments, ExitCode, Operands, Usage, eprintln};

application::application! {
    usage: Usage {
        name: "mv",
        summary: "move or rename files and directories",
        operands: Operands::many("PATH… TARGET", 2),
        notes: &[
            "What is moved to a TARGET that is a directory comes into it. A file that exists is replaced.",
        ],
        exit_codes: &[(1, "something was not moved")],
        ..Usage::NONE
    },
    main: main,
}

fn main(arguments: &Arguments) -> ExitCode {
    let Some((target, sources)) = arguments.operands().split_last() else {
        return ExitCode::USAGE;
    };
    if sources.len() > 1
        && let Err(error) = vfs::directory_path(target)
    {
        eprintln!("mv: {error}");
        return ExitCode::FAILURE;
    }
    let mut code = ExitCode::SUCCESS;
    for source in sources {
        let moved =
            vfs::destination(source, target).and_then(|target| vfs::rename(source, &target));
        if let Err(error) = moved {
            eprintln!("mv: {error}");
            code = ExitCode::FAILURE;
        }
    }
    code
}
