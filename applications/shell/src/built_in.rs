//! Commands that change the shell itself.

use crate::execute::{Command, Shell};
use alloc::string::String;
use application::{ExitCode, eprintln, println};

/// Names of the built-in commands.
pub(crate) const NAMES: [&str; 5] = ["cd", "exit", "fg", "jobs", "pwd"];

/// Whether the shell runs `command` itself.
pub(crate) fn is_built_in(command: &Command) -> bool {
    let name = command.words.first();
    name.is_some_and(|name| NAMES.contains(&name.as_str()))
}

/// Runs a built-in command.
pub(crate) fn run(shell: &mut Shell, words: &[String]) -> ExitCode {
    let Some((name, operands)) = words.split_first() else {
        return ExitCode::SUCCESS;
    };
    match name.as_str() {
        "cd" => change_directory(shell, operands),
        "exit" => exit(shell, operands),
        "jobs" => jobs(shell),
        "fg" => foreground(shell, operands),
        "pwd" => print_directory(operands),
        _ => ExitCode::NOT_FOUND,
    }
}

/// Sets the directory at which relative paths begin, for the shell and for all that it starts from now
/// on; the root when none is given.
fn change_directory(shell: &mut Shell, operands: &[String]) -> ExitCode {
    let path = match operands {
        [] => "/",
        [path] => path,
        _ => {
            eprintln!("cd: too many operands; usage: cd [DIRECTORY]");
            return ExitCode::USAGE;
        }
    };
    match vfs::directory_path(path) {
        Ok(directory) => {
            shell.set_directory(directory);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("cd: {error}");
            ExitCode::FAILURE
        }
    }
}

fn print_directory(operands: &[String]) -> ExitCode {
    if operands.is_empty() {
        println!("{}", vfs::current_directory());
        ExitCode::SUCCESS
    } else {
        eprintln!("pwd: too many operands; usage: pwd");
        ExitCode::USAGE
    }
}

fn exit(shell: &mut Shell, operands: &[String]) -> ExitCode {
    let status = match operands {
        [] => Ok(shell.status().0),
        [status] => status.parse(),
        _ => {
            eprintln!("exit: too many operands; usage: exit [STATUS]");
            return ExitCode::USAGE;
        }
    };
    match status {
        Ok(status) => {
            shell.end(ExitCode(status));
            ExitCode(status)
        }
        Err(_) => {
            eprintln!("exit: a status is a number from 0 to 255");
            ExitCode::USAGE
        }
    }
}

fn jobs(shell: &mut Shell) -> ExitCode {
    for job in &shell.jobs {
        let state = if job.is_over() { "done" } else { "running" };
        println!("[{}] {state:<8} {}", job.number, job.text);
    }
    ExitCode::SUCCESS
}

fn foreground(shell: &mut Shell, operands: &[String]) -> ExitCode {
    let wanted = operands
        .first()
        .map(|operand| operand.trim_start_matches('%').parse::<usize>());
    let position = match wanted {
        None => shell.jobs.len().checked_sub(1),
        Some(Ok(number)) => shell.jobs.iter().position(|job| job.number == number),
        Some(Err(_)) => None,
    };
    let Some(position) = position else {
        eprintln!("fg: there is no such job; 'jobs' lists them");
        return ExitCode::FAILURE;
    };
    let job = shell.jobs.remove(position);
    println!("{}", job.text);
    job.wait(shell.role)
}
