//! `make debug`: gdb on the running system, with every component's symbols.

use crate::{RunnerError, machine::BUILD, session::Sockets};
use std::{os::unix::process::CommandExt, path::Path, process::Command};

/// Reads the loader's table and follows its changes.
const SCRIPT: &str = "tools/runner/gdb/strake.py";

/// Becomes gdb, attached to the system that `make run` started. `arguments` are for gdb, and come
/// after the symbols are there.
///
/// # Errors
///
/// When no system runs here or gdb does not start.
pub fn run(arguments: impl Iterator<Item = String>) -> RunnerError {
    let sockets = Sockets::inside(Path::new(BUILD));
    match sockets.are_taken() {
        Ok(true) => {}
        Ok(false) => return RunnerError::NothingRuns,
        Err(error) => return error,
    }
    let source = attach(&sockets.debugger).args(arguments).exec();
    RunnerError::Start {
        program: "gdb".into(),
        source,
    }
}

/// gdb, attached to the machine whose gdb server is at `socket`.
#[must_use]
pub fn attach(socket: &Path) -> Command {
    let mut gdb = Command::new("gdb");
    gdb.args(["-quiet", "-nx"])
        .args(["-ex", "set pagination off", "-ex", "set confirm off"])
        .args(["-ex", "set architecture i386:x86-64"])
        // An application that has not run yet has no symbols yet.
        .args(["-ex", "set breakpoint pending on"])
        .args(["-ex", &format!("source {SCRIPT}")])
        .args(["-ex", &format!("target remote {}", socket.display())])
        .args(["-ex", "strake-symbols"]);
    gdb
}
