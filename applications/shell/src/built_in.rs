//! Commands that change the shell itself.

use crate::execute::Shell;
use alloc::string::String;
use application::{ExitCode, eprintln, println};

/// Names of the built-in commands.
pub(crate) const NAMES: [&str; 3] = ["exit", "fg", "jobs"];

/// Runs a built-in command; `None` when `words` name none.
pub(crate) fn run(shell: &mut Shell, words: &[String]) -> Option<ExitCode> {
    let (name, operands) = words.split_first()?;
    match name.as_str() {
        "exit" => Some(exit(shell, operands)),
        "jobs" => Some(jobs(shell)),
        "fg" => Some(foreground(shell, operands)),
        _ => None,
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
