//! Copies its input to its output.
#![no_std]
#![forbid(unsafe_code)]

use application::{Arguments, ExitCode, Usage, fail};
use task::StreamError;

application::application! {
    usage: Usage {
        name: "cat",
        summary: "copy the input to the output",
        exit_codes: &[(1, "the input cannot be read")],
        ..Usage::NONE
    },
    main: main,
}

fn main(_: &Arguments) -> ExitCode {
    match copy() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail("cat", error),
    }
}

/// Byte for byte, so that what is not text passes too.
fn copy() -> Result<(), StreamError> {
    let streams = task::streams();
    let mut buffer = [0; 1024];
    loop {
        let count = streams.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        application::write_bytes(buffer.get(..count).unwrap_or(&[]));
    }
}
