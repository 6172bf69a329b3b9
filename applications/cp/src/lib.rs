//! Copies files and directories.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use application::{Arguments, ExitCode, Operands, OptionSpec, Usage, eprintln};
use vfs::{Kind, OpenFile, OpenOptions, Shown, path};

application::application! {
    usage: Usage {
        name: "cp",
        summary: "copy files",
        operands: Operands::many("PATH… TARGET", 2),
        options: &[
            OptionSpec::flag("recursive", "copy directories with all that is in them").short('r'),
        ],
        notes: &[
            "A TARGET that is a directory gets copies in it. A file that exists is replaced.",
            "What was copied before an error stays.",
        ],
        exit_codes: &[(1, "something was not copied")],
        ..Usage::NONE
    },
    main: main,
}

/// Bytes that are copied at once.
const CHUNK: usize = 64 * 1024;

fn main(arguments: &Arguments) -> ExitCode {
    let Some((target, sources)) = arguments.operands().split_last() else {
        return ExitCode::USAGE;
    };
    if sources.len() > 1
        && let Err(error) = vfs::directory_path(target)
    {
        eprintln!("cp: {error}");
        return ExitCode::FAILURE;
    }
    let mut code = ExitCode::SUCCESS;
    for source in sources {
        let copied = vfs::destination(source, target)
            .map_err(|error| error.to_string())
            .and_then(|target| copy(source, &target, arguments.has("recursive")));
        if let Err(error) = copied {
            eprintln!("cp: {error}");
            code = ExitCode::FAILURE;
        }
        task::safe_point();
    }
    code
}

fn copy(source: &str, target: &str, recursive: bool) -> Result<(), String> {
    let text = |error: vfs::Error| error.to_string();
    if vfs::metadata(source).map_err(text)?.kind == Kind::File {
        return copy_file(source, target);
    }
    if !recursive {
        return Err(format!(
            "{}: it is a directory; cp -r copies those too",
            Shown(source)
        ));
    }
    let here = vfs::current_directory();
    let inside = path::join(&path::absolute(&here, source), "");
    if path::join(&path::absolute(&here, target), "").starts_with(&inside) {
        return Err(format!(
            "{}: a directory cannot be copied into itself",
            Shown(target)
        ));
    }
    // Not by recursion: a tree may be deeper than a stack.
    let mut directories = vec![(source.to_string(), target.to_string())];
    while let Some((source, target)) = directories.pop() {
        vfs::create_directories(&target).map_err(text)?;
        for entry in vfs::list(&source).map_err(text)? {
            let from = path::join(&source, &entry.name);
            let to = path::join(&target, &entry.name);
            match entry.metadata.kind {
                Kind::Directory => directories.push((from, to)),
                Kind::File => copy_file(&from, &to)?,
            }
            task::safe_point();
        }
    }
    Ok(())
}

fn copy_file(source: &str, target: &str) -> Result<(), String> {
    let mut from = OpenOptions::READ
        .open(source)
        .map_err(|error| error.to_string())?;
    // Not emptied yet: it may be the source.
    let mut to = OpenOptions::new()
        .write()
        .create()
        .open(target)
        .map_err(|error| error.to_string())?;
    if from.is_same_file(&to) {
        return Err(format!(
            "{} and {} are the same file",
            Shown(source),
            Shown(target)
        ));
    }
    let failed = |path: &str, reason| vfs::Error::new(path, reason).to_string();
    to.set_length(0).map_err(|reason| failed(target, reason))?;
    if let Some(bytes) = from.bytes() {
        return put(&mut to, bytes, target);
    }
    let mut buffer: Vec<u8> = vec![0; CHUNK];
    loop {
        let count = from
            .read(&mut buffer)
            .map_err(|reason| failed(source, reason))?;
        if count == 0 {
            return Ok(());
        }
        put(&mut to, buffer.get(..count).unwrap_or(&[]), target)?;
    }
}

fn put(to: &mut OpenFile, bytes: &[u8], target: &str) -> Result<(), String> {
    let before = to.position();
    to.write_all(bytes).map_err(|error| {
        let written = before + error.written as u64;
        let reason = error.reason;
        format!("{}: {reason}; {written} bytes were written", Shown(target))
    })
}
