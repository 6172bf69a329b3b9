//! The command interpreter.
//!
//! Reads lines, from a person with an editor or from a pipe without, and runs what they say. Each
//! command is an instance of an application in a task of its own; a pipeline's are connected by
//! pipes and are one job.
//!
//! The first shell of the system runs the commands that the machine was started with (`make run
//! CMD=…`), and then ends the machine with the last one's status.
//!
//! Principles: what a line means is decided in `command_line` and how it is typed in `line_editor`,
//! both tested on the host; here things only happen. A wrong line has a message, status 2 and no
//! other effect.
//!
//! Neighbours: `application` runs commands, `vfs` has the files that they read and write, `console` knows
//! modes and the foreground job. Left out: variables, patterns for names, scripts with arguments.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod built_in;
mod complete;
mod execute;
mod interactive;
mod job;
mod session;

use application::{Arguments, ExitCode, Lines, OptionSpec, Usage, fail};
use execute::{Role, Shell};

application::application! {
    usage: Usage {
        name: "shell",
        summary: "run commands",
        options: &[
            OptionSpec::value("command", "TEXT", "run this and exit with its status").short('c'),
        ],
        notes: &[
            "Commands are separated by ; && || and | and may be quoted with ' \" and \\.",
            "< reads from a file, > and >> write to one, 2> and 2>> its errors, 2>&1 both to one.",
            "A name with a / is the path of an application's object.",
            "$? is the status of the last command, & runs one in the background.",
            "Built in: cd [DIRECTORY], pwd, exit [STATUS], jobs, fg [JOB].",
        ],
        exit_codes: &[(127, "the last command does not exist"), (130, "it was killed")],
        ..Usage::NONE
    },
    main: main,
}

fn main(arguments: &Arguments) -> ExitCode {
    let mut shell = Shell::new();
    if let Some(text) = arguments.value("command") {
        shell.execute(text);
        return shell.status();
    }
    // Held until the end: a shell that somebody starts from this one is none.
    let session = console::claim_session();
    shell.role = match (&session, task::streams().is_terminal()) {
        (Some(_), _) => Role::Session,
        (None, true) => Role::Person,
        (None, false) => Role::Script,
    };
    if session.as_ref().is_some_and(console::Session::is_first) {
        session::run_boot_command(&mut shell);
    }
    match shell.role {
        Role::Session | Role::Person => interactive::run(&mut shell),
        Role::Script => run_lines(&mut shell),
    }
}

/// Runs the lines of a pipe.
fn run_lines(shell: &mut Shell) -> ExitCode {
    for line in Lines::new() {
        match line {
            Ok(line) => shell.execute(&line),
            Err(error) => return fail("shell", error),
        }
        if shell.is_over() {
            break;
        }
    }
    shell.status()
}
