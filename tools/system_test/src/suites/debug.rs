//! gdb on the running system.

use crate::{
    failure::{Failure, Verdict, contains},
    guest::{COMMAND_LIMIT, Guest},
    plan::{Options, Suite, Tests},
};
use runner::{Boot, Machine, accelerator::wait_at_most, debug::attach};
use std::{
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::Stdio,
};

pub(crate) const SUITE: Suite = Suite {
    name: "debug",
    tests: Tests::Own(&[(
        "a_breakpoint_by_name_works_before_and_after_a_swap",
        breakpoint,
    )]),
};

fn wrong(what: &str) -> impl FnOnce(std::io::Error) -> Failure {
    let what = what.to_owned();
    move |error| Failure::Wrong(format!("{what}: {error}"))
}

fn breakpoint(_: &Options) -> Verdict {
    let socket = PathBuf::from(format!("build/test-{}-debug.socket", std::process::id()));
    let machine = Machine {
        boot: Boot::Direct,
        debugger: Some(socket.clone()),
        ..Machine::default()
    };
    let mut guest = Guest::boot(machine)?;
    let mut gdb = attach(&socket)
        .arg("-batch")
        .args([
            "-ex",
            "break hello::main",
            "-ex",
            "echo :ready:\\n",
            "-ex",
            "continue",
        ])
        .args([
            "-ex",
            "backtrace 3",
            "-ex",
            "echo :first:\\n",
            "-ex",
            "continue",
        ])
        .args(["-ex", "info symbol $pc", "-ex", "delete", "-ex", "detach"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(wrong("starting gdb"))?;
    let Some(output) = gdb.stdout.take() else {
        return Err(Failure::Wrong("gdb has no output".into()));
    };
    let mut lines = BufReader::new(output);
    let mut text = String::new();
    let mut read_until = |mark: &str, text: &mut String| -> Verdict {
        while !text.contains(mark) {
            if lines.read_line(text).map_err(wrong("reading from gdb"))? == 0 {
                return Err(Failure::Wrong(format!("gdb ended before {mark}:\n{text}")));
            }
        }
        Ok(())
    };
    read_until(":ready:", &mut text)?;
    guest.send(b"hello\r")?;
    read_until(":first:", &mut text)?;
    guest.send(b"swap hello=alternate; hello\r")?;
    let finished = wait_at_most(&mut gdb, COMMAND_LIMIT).map_err(wrong("waiting for gdb"))?;
    lines
        .read_to_string(&mut text)
        .map_err(wrong("reading from gdb"))?;
    // A socket's file that stays is in the build folder.
    drop(std::fs::remove_file(&socket));
    if finished.is_none() {
        return Err(Failure::Wrong(format!("gdb hangs:\n{text}")));
    }
    let (before, after) = text.split_once(":first:").unwrap_or_default();
    contains(before, "hello::main")?;
    contains(before, "applications/hello/src/lib.rs")?;
    contains(after, "Breakpoint 1")?;
    contains(after, "hello::main")?;
    guest.expect("Ahoy, world!").map(drop)
}
