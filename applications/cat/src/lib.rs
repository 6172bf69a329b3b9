//! Copies files, or its input, to its output.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::{string::String, vec};
use application::{Arguments, ExitCode, Operands, Usage, eprintln};
use task::StreamError;
use vfs::OpenOptions;

application::application! {
    usage: Usage {
        name: "cat",
        summary: "copy files or the input to the output",
        operands: Operands::many("[FILE]…", 0),
        notes: &["Without a FILE, and for -, the input is copied."],
        exit_codes: &[(1, "a file or the input cannot be read")],
        ..Usage::NONE
    },
    main: main,
}

/// Bytes that are copied at once.
const CHUNK: usize = 4096;

fn main(arguments: &Arguments) -> ExitCode {
    let input = [String::from("-")];
    let files = match arguments.operands() {
        [] => &input,
        files => files,
    };
    let mut code = ExitCode::SUCCESS;
    for file in files {
        let copied = match file.as_str() {
            "-" => copy_input().map_err(|error| eprintln!("cat: {error}")),
            path => copy_file(path).map_err(|error| eprintln!("cat: {error}")),
        };
        if copied.is_err() {
            code = ExitCode::FAILURE;
        }
    }
    code
}

/// Byte for byte, so that what is not text passes too.
fn copy_input() -> Result<(), StreamError> {
    let streams = task::streams();
    let mut buffer = vec![0; CHUNK];
    loop {
        let count = streams.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        application::write_bytes(buffer.get(..count).unwrap_or(&[]));
    }
}

fn copy_file(path: &str) -> Result<(), vfs::Error> {
    let mut file = OpenOptions::READ.open(path)?;
    if let Some(bytes) = file.bytes() {
        application::write_bytes(bytes);
        return Ok(());
    }
    let mut buffer = vec![0; CHUNK];
    loop {
        let count = file
            .read(&mut buffer)
            .map_err(|reason| vfs::Error::new(path, reason))?;
        if count == 0 {
            return Ok(());
        }
        application::write_bytes(buffer.get(..count).unwrap_or(&[]));
    }
}
