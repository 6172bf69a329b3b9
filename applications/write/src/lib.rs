//! Writes words, or its input, to a file.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::string::String;
use alloc::{format, string::ToString, vec};
use application::{Arguments, ExitCode, Operands, OptionSpec, Usage, fail};
use vfs::{OpenFile, OpenOptions, Shown};

application::application! {
    usage: Usage {
        name: "write",
        summary: "write a file",
        operands: Operands::many("FILE [TEXT]…", 1),
        options: &[OptionSpec::flag("append", "write behind what is there").short('a')],
        notes: &[
            "The words of TEXT are one line. Without TEXT the input is written, up to its end (Ctrl-D).",
            "What was written before an error stays.",
        ],
        exit_codes: &[(1, "not all was written")],
        ..Usage::NONE
    },
    main: main,
}

/// Bytes that are copied at once.
const CHUNK: usize = 4096;

fn main(arguments: &Arguments) -> ExitCode {
    match write(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail("write", error),
    }
}

fn write(arguments: &Arguments) -> Result<(), String> {
    let Some((path, words)) = arguments.operands().split_first() else {
        return Ok(());
    };
    let options = match arguments.has("append") {
        true => OpenOptions::APPEND,
        false => OpenOptions::REPLACE,
    };
    let mut file = options.open(path).map_err(|error| error.to_string())?;
    if !words.is_empty() {
        let line = words.join(" ") + "\n";
        return put(&mut file, line.as_bytes(), 0, path);
    }
    let streams = task::streams();
    let mut buffer = vec![0; CHUNK];
    let mut written = 0;
    loop {
        let count = streams
            .read(&mut buffer)
            .map_err(|error| error.to_string())?;
        if count == 0 {
            return Ok(());
        }
        put(&mut file, buffer.get(..count).unwrap_or(&[]), written, path)?;
        written += count;
    }
}

/// Writes `bytes` behind the `before` that were written.
fn put(file: &mut OpenFile, bytes: &[u8], before: usize, path: &str) -> Result<(), String> {
    file.write_all(bytes).map_err(|error| {
        let written = before + error.written;
        format!(
            "{}: {}; {written} bytes were written",
            Shown(path),
            error.reason
        )
    })
}
