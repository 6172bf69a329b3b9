//! Copies files, or its input, to its output.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::{
    format,
    string::{String, ToString},
    vec,
};
use application::{Arguments, ExitCode, Operands, Usage, eprintln};
use vfs::{OpenFile, OpenOptions, Shown};

application::application! {
    usage: Usage {
        name: "cat",
        summary: "copy files or the input to the output",
        operands: Operands::many("[FILE]…", 0),
        notes: &["Without a FILE, and for -, the input is copied."],
        exit_codes: &[(1, "a file or the input cannot be read, or is the output")],
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
    let output = file_of(task::streams().output_path().as_deref());
    let mut code = ExitCode::SUCCESS;
    for file in files {
        let copied = match file.as_str() {
            "-" => copy_input(output.as_ref()),
            path => copy_file(path, output.as_ref()),
        };
        if let Err(error) = copied {
            eprintln!("cat: {error}");
            code = ExitCode::FAILURE;
        }
    }
    code
}

/// The file of a stream, if it comes from or leads to one that still has its name.
fn file_of(path: Option<&str>) -> Option<OpenFile> {
    OpenOptions::READ.open(path?).ok()
}

/// That a file that would be copied to itself has no end.
fn check_other(path: &str, input: &OpenFile, output: Option<&OpenFile>) -> Result<(), String> {
    if output.is_some_and(|output| output.is_same_file(input)) {
        return Err(format!(
            "{}: the input file is the output file",
            Shown(path)
        ));
    }
    Ok(())
}

/// Byte for byte, so that what is not text passes too.
fn copy_input(output: Option<&OpenFile>) -> Result<(), String> {
    let streams = task::streams();
    if let Some(path) = streams.input_path()
        && let Some(input) = file_of(Some(&path))
    {
        check_other(&path, &input, output)?;
    }
    let mut buffer = vec![0; CHUNK];
    loop {
        let count = streams
            .read(&mut buffer)
            .map_err(|error| error.to_string())?;
        if count == 0 {
            return Ok(());
        }
        application::write_bytes(buffer.get(..count).unwrap_or(&[]));
    }
}

fn copy_file(path: &str, output: Option<&OpenFile>) -> Result<(), String> {
    let open = OpenOptions::READ.open(path);
    let mut file = open.map_err(|error| error.to_string())?;
    check_other(path, &file, output)?;
    if let Some(bytes) = file.bytes() {
        application::write_bytes(bytes);
        return Ok(());
    }
    let mut buffer = vec![0; CHUNK];
    loop {
        let count = file
            .read(&mut buffer)
            .map_err(|reason| vfs::Error::new(path, reason).to_string())?;
        if count == 0 {
            return Ok(());
        }
        application::write_bytes(buffer.get(..count).unwrap_or(&[]));
    }
}
