//! The commands that the machine was started with.

use crate::execute::Shell;
use alloc::string::String;
use application::{ExitCode, eprintln};
use fw_cfg::COMMANDS;

/// Runs the commands that the machine was started with, if there are any, and ends the machine.
pub(crate) fn run_boot_command(shell: &mut Shell) {
    let Some(bytes) = fw_cfg::read(COMMANDS) else {
        return;
    };
    match String::from_utf8(bytes) {
        Ok(text) => shell.execute(text.trim_end_matches(['\0', '\n'])),
        Err(error) => {
            eprintln!("shell: the commands in {COMMANDS} are not UTF-8: {error}");
            shell.set_status(ExitCode::USAGE);
        }
    }
    console::fresh_line();
    match shell.status() {
        ExitCode::SUCCESS => power::poweroff(),
        ExitCode(status) => power::exit(status),
    }
}
