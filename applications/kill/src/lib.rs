//! Ends tasks.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use application::{Arguments, ExitCode, Operands, Usage, eprintln};
use task::TaskId;

application::application! {
    usage: Usage {
        name: "kill",
        summary: "end tasks",
        operands: Operands::many("ID…", 1),
        notes: &[
            "'ps' shows the ids. A task ends at its next safe point, where it waits or prints, and gives",
            "back what it owns. One that comes to none is ended where it is; what it owns is lost then,",
            "which 'mem' counts.",
        ],
        exit_codes: &[(1, "a task does not exist, or the system needs it")],
        ..Usage::NONE
    },
    main: main,
}

fn main(arguments: &Arguments) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for operand in arguments.operands() {
        let Ok(id) = operand.parse() else {
            eprintln!("kill: '{operand}' is not a task's number; 'ps' shows them");
            return ExitCode::USAGE;
        };
        if let Err(error) = task::kill(TaskId(id)) {
            eprintln!("kill: {error}");
            code = ExitCode::FAILURE;
        }
    }
    code
}
