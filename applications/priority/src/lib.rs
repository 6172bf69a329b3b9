//! Shows or changes how much a task matters.
#![no_std]
#![forbid(unsafe_code)]

use application::{Arguments, ExitCode, Operands, Usage, eprintln, println};
use task::{Priority, TaskId};

application::application! {
    usage: Usage {
        name: "priority",
        summary: "show or change how much a task matters",
        operands: Operands::new("ID [LEVEL]", 1, 2),
        notes: &[
            "LEVEL goes from 0 to 31; 16 is what a task has whose maker has asked for nothing else, and",
            "the more, the sooner it runs. Under the fair policy each level is worth a quarter more of a",
            "CPU than the one below. A task's own tasks begin with its priority.",
        ],
        exit_codes: &[(1, "there is no such task")],
        ..Usage::NONE
    },
    main: main,
}

fn main(arguments: &Arguments) -> ExitCode {
    let id = arguments.operand().unwrap_or("");
    let Ok(number) = id.parse() else {
        eprintln!("priority: '{id}' is not a task's number; 'ps' shows them");
        return ExitCode::USAGE;
    };
    let Some(task) = task::find(TaskId(number)) else {
        eprintln!("priority: there is no task {number}");
        return ExitCode::FAILURE;
    };
    let Some(level) = arguments.operands().get(1) else {
        println!("{}", task.priority());
        return ExitCode::SUCCESS;
    };
    let Some(priority) = level.parse().ok().and_then(Priority::of_level) else {
        let highest = Priority::HIGHEST;
        eprintln!("priority: '{level}' is not a level from 0 to {highest}");
        return ExitCode::USAGE;
    };
    task.set_priority(priority);
    ExitCode::SUCCESS
}
