//! Removes files and directories.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::{string::String, vec};
use application::{Arguments, ExitCode, Operands, OptionSpec, Usage, eprintln};
use vfs::{Error, Kind, Reason, path};

application::application! {
    usage: Usage {
        name: "rm",
        summary: "remove files and directories",
        operands: Operands::many("PATH…", 1),
        options: &[
            OptionSpec::flag("recursive", "remove directories with all that is in them").short('r'),
            OptionSpec::flag("directory", "remove empty directories").short('d'),
            OptionSpec::flag("force", "what is not there is no error").short('f'),
        ],
        notes: &["Whoever has a removed file open can go on reading it."],
        exit_codes: &[(1, "something was not removed")],
        ..Usage::NONE
    },
    main: main,
}

fn main(arguments: &Arguments) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for path in arguments.operands() {
        let removed = if arguments.has("recursive") {
            remove_all(path)
        } else {
            remove(path, arguments.has("directory"))
        };
        match removed {
            Err(error) if error.reason() == Reason::NotFound && arguments.has("force") => {}
            Err(error) => {
                eprintln!("rm: {error}");
                code = ExitCode::FAILURE;
            }
            Ok(()) => {}
        }
    }
    code
}

fn remove(path: &str, directories: bool) -> Result<(), Error> {
    match vfs::remove_file(path) {
        Err(error) if error.reason() == Reason::IsADirectory && directories => {
            vfs::remove_directory(path)
        }
        other => other,
    }
}

/// Removes `path` and all that is in it. What is in the way of that stays, with all above it.
fn remove_all(path: &str) -> Result<(), Error> {
    if vfs::metadata(path)?.kind == Kind::File {
        return vfs::remove_file(path);
    }
    // Not by recursion: a tree may be deeper than a stack. A directory comes a second time when all
    // that was in it is gone.
    let mut left = vec![(String::from(path), false)];
    while let Some((directory, is_empty)) = left.pop() {
        task::safe_point();
        if is_empty {
            vfs::remove_directory(&directory)?;
            continue;
        }
        let entries = vfs::list(&directory)?;
        left.push((directory.clone(), true));
        for entry in entries {
            let path = path::join(&directory, &entry.name);
            match entry.metadata.kind {
                Kind::Directory => left.push((path, false)),
                Kind::File => vfs::remove_file(&path)?,
            }
        }
    }
    Ok(())
}
