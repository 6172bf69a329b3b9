//! Lists the tasks.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::string::ToString;
use application::{Arguments, ExitCode, Json, OptionSpec, Usage, println};
use task::TaskInfo;

application::application! {
    usage: Usage {
        name: "ps",
        summary: "list the tasks",
        options: &[OptionSpec::JSON],
        notes: &[
            "ON is the CPU that a task runs on, or ran on last; CPU the time that CPUs spent in it,",
            "in milliseconds. PR is the priority, from 0 to 31, which 'priority' changes.",
        ],
        ..Usage::NONE
    },
    main: main,
}

fn main(arguments: &Arguments) -> ExitCode {
    let tasks = task::tasks();
    if arguments.has("json") {
        println!("{}", Json::array(tasks.iter().map(describe)));
        return ExitCode::SUCCESS;
    }
    println!(
        "{:>5} {:<9} {:>2} {:>2} {:>12} {:>8} {:<16} NAME",
        "ID", "STATE", "ON", "PR", "CPU", "STACK", "COMPONENT"
    );
    for task in &tasks {
        println!(
            "{:>5} {:<9} {:>2} {:>2} {:>12} {:>8} {:<16} {}{}",
            task.id.0,
            task.state.name(),
            task.cpu.0,
            task.priority.level(),
            milliseconds(task).to_string(),
            task.stack_used,
            task.component,
            task.name,
            if task.killed { " (killed)" } else { "" },
        );
    }
    ExitCode::SUCCESS
}

fn milliseconds(task: &TaskInfo) -> Json {
    Json::Thousandths(task.cpu_ns / 1000)
}

fn describe(task: &TaskInfo) -> Json {
    Json::object([
        ("id", task.id.0.into()),
        ("name", (&task.name).into()),
        ("component", (&task.component).into()),
        ("state", task.state.name().into()),
        ("cpu", task.cpu.0.into()),
        ("priority", u64::from(task.priority.level()).into()),
        ("cpu_ms", milliseconds(task)),
        ("stack", task.stack_size.into()),
        ("stack_used", task.stack_used.into()),
        ("killed", task.killed.into()),
    ])
}
