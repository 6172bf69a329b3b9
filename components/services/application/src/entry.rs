//! What runs between the loader and an application's `main`.

use crate::{Arguments, ExitCode, Request, Usage, eprintln, print};

/// Reads the words of a command by `usage`, answers `--help` and wrong options, else runs `main`.
///
/// [`crate::application!`] calls it. The first word is the command's own name.
pub fn enter(usage: &Usage, main: fn(&Arguments) -> ExitCode, words: &[&str]) -> u8 {
    let words = words.get(1..).unwrap_or(&[]);
    let code = match usage.parse(words) {
        Ok(Request::Run(arguments)) => main(&arguments),
        Ok(Request::Help) => {
            print!("{usage}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{0}: {error}\ntry '{0} --help'", usage.name);
            ExitCode::USAGE
        }
    };
    code.0
}
