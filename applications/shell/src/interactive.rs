//! Lines from a person.

use crate::{
    complete::Commands,
    execute::{Role, Shell},
};
use alloc::vec::Vec;
use application::{ExitCode, eprintln, println};
use line_editor::{Editor, Event, LINE_LIMIT};
use task::{StreamError, Streams};

/// What the user sees at the start of a line.
const PROMPT: &str = "strake> ";

/// Where the host says how many columns its terminal has.
const COLUMNS_FILE: &str = "opt/strake/columns";

/// Columns of a terminal that nobody described.
const COLUMNS: usize = 80;

/// Reads and runs lines until the user has enough.
pub(crate) fn run(shell: &mut Shell) -> ExitCode {
    let mut editor = Editor::new(PROMPT, columns());
    loop {
        if shell.is_over() {
            if shell.role != Role::Session {
                return shell.status();
            }
            println!("This is the system's first shell; 'poweroff' switches the machine off.");
            shell.stay();
        }
        shell.report_jobs();
        match read_line(&mut editor) {
            Ok(Event::Line(line)) => shell.execute(&line),
            Ok(Event::Interrupted) => shell.set_status(ExitCode::KILLED),
            Ok(Event::EndOfInput) => shell.end(shell.status()),
            Ok(Event::TooLong) => {
                eprintln!("shell: the line is longer than {LINE_LIMIT} bytes; nothing was run");
                shell.set_status(ExitCode::USAGE);
            }
            Err(error) => {
                eprintln!("shell: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
}

fn columns() -> usize {
    fw_cfg::read(COLUMNS_FILE)
        .and_then(|bytes| core::str::from_utf8(&bytes).ok()?.trim().parse().ok())
        .unwrap_or(COLUMNS)
}

/// Lets the user edit a line.
fn read_line(editor: &mut Editor) -> Result<Event, StreamError> {
    let streams = task::streams();
    let _raw = console::raw_mode();
    console::fresh_line();
    let mut out = Vec::new();
    editor.begin(&mut out);
    print(&*streams, &out)?;
    let mut input = [0; 1024];
    loop {
        let count = streams.read(&mut input)?;
        let typed = input.get(..count).unwrap_or(&[]);
        out.clear();
        let progress = editor.feed(typed, &Commands, &mut out);
        print(&*streams, &out)?;
        if let Some(event) = progress.event {
            // What was typed ahead belongs to the command that the line starts.
            console::push_back(typed.get(progress.used..).unwrap_or(&[]));
            return Ok(event);
        }
    }
}

fn print(streams: &dyn Streams, mut bytes: &[u8]) -> Result<(), StreamError> {
    while !bytes.is_empty() {
        let count = streams.write(bytes)?;
        bytes = bytes.get(count.max(1)..).unwrap_or(&[]);
    }
    Ok(())
}
