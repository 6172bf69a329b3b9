//! Printing.

use crate::ExitCode;
use alloc::{
    format,
    string::{String, ToString},
    sync::Arc,
};
use core::fmt::{self, Write};
use task::{Failure, StreamError, Streams};

/// Prints `text` to the current task's output.
///
/// When nobody reads it any more, the task ends here, quietly, with exit code 141: the same happens
/// to whatever produces more than the end of a pipe takes.
pub fn write(text: fmt::Arguments<'_>) {
    put(text, |streams, bytes| streams.write(bytes));
}

/// Prints `text` to the current task's error output. Ends the task when nobody reads it any more.
pub fn write_error(text: fmt::Arguments<'_>) {
    put(text, |streams, bytes| streams.write_error(bytes));
}

/// Prints `command: error` to the error output; the exit code for that.
#[must_use]
pub fn fail(command: &str, error: impl fmt::Display) -> ExitCode {
    write_error(format_args!("{command}: {error}\n"));
    ExitCode::FAILURE
}

type Put = fn(&Arc<dyn Streams>, &[u8]) -> Result<usize, StreamError>;

/// The whole text first, so that two who print at once do not mix inside a line.
fn put(text: fmt::Arguments<'_>, put: Put) {
    let mut whole = String::new();
    // Only a `Display` that fails by itself fails here; what it wrote is printed.
    let _ = whole.write_fmt(text);
    send(whole.as_bytes(), put);
}

/// Writes `bytes` to the current task's output, and ends the task when nobody reads it any more.
pub fn write_bytes(bytes: &[u8]) {
    send(bytes, |streams, bytes| streams.write(bytes));
}

/// Says that the output could not be written, and ends the task.
#[cold]
fn give_up(error: StreamError) -> ! {
    let name = task::with_current(|task| String::from(task.name())).unwrap_or_default();
    let streams = task::streams();
    let why = streams
        .output_failure()
        .unwrap_or_else(|| error.to_string());
    let text = format!("{name}: {why}; the output is cut off\n");
    // If that cannot be written either, there is nobody to tell.
    let _ = streams.write_error(text.as_bytes());
    task::unwind(Failure::Exited {
        status: i32::from(ExitCode::FAILURE.0),
    })
}

/// Ends the task by unwinding it, so that whatever its functions own is given back.
fn send(mut rest: &[u8], put: Put) {
    let streams = task::streams();
    while !rest.is_empty() {
        match put(&streams, rest) {
            Ok(count) => rest = rest.get(count.max(1)..).unwrap_or(&[]),
            Err(StreamError::Interrupted) => task::unwind(Failure::Killed),
            Err(error @ (StreamError::Full | StreamError::Device)) => give_up(error),
            Err(_) => task::unwind(Failure::Exited {
                status: i32::from(ExitCode::CLOSED_OUTPUT.0),
            }),
        }
    }
}
