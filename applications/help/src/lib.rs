//! Lists the commands, or explains one.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::string::{String, ToString};
use application::{Arguments, ExitCode, Json, Operands, OptionSpec, Usage, eprintln, println, run};
use loader::CommandInfo;

application::application! {
    usage: Usage {
        name: "help",
        summary: "list the commands, or explain one",
        operands: Operands::new("[COMMAND]", 0, 1),
        options: &[OptionSpec::JSON],
        exit_codes: &[(127, "there is no such command")],
        ..Usage::NONE
    },
    main: main,
}

fn main(arguments: &Arguments) -> ExitCode {
    if let Some(command) = arguments.operand() {
        return explain(command);
    }
    let commands = loader::commands();
    if arguments.has("json") {
        println!("{}", Json::array(commands.iter().map(describe)));
        return ExitCode::SUCCESS;
    }
    let width = commands
        .iter()
        .map(|command| command.name.len())
        .max()
        .unwrap_or(0);
    for command in &commands {
        println!("{:<width$}  {}", command.name, command.summary);
    }
    println!("\n'help COMMAND' or 'COMMAND --help' explains one; the Tab key completes.");
    println!("The shell itself knows exit, jobs and fg; ; && || | & ' \" \\ $? and # as usual.");
    ExitCode::SUCCESS
}

fn describe(command: &CommandInfo) -> Json {
    Json::object([
        ("name", (&command.name).into()),
        ("summary", (&command.summary).into()),
        ("application", (&command.application).into()),
    ])
}

fn explain(command: &str) -> ExitCode {
    let words: [String; 2] = [command.to_string(), "--help".to_string()];
    match run(&words, task::streams()) {
        Ok(child) => child.wait(),
        Err(error) => {
            eprintln!("help: {error}");
            error.code()
        }
    }
}
