//! Lists what is in directories.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::{boxed::Box, string::String, vec, vec::Vec};
use application::{
    Arguments, ExitCode, Json, Operands, OptionSpec, Usage, eprintln, print, println,
};
use vfs::{Entry, Kind};

application::application! {
    usage: Usage {
        name: "ls",
        summary: "list files and directories",
        operands: Operands::many("[PATH]…", 0),
        options: &[
            OptionSpec::JSON,
            OptionSpec::flag("long", "a line each: kind, rights, size, time, name").short('l'),
        ],
        notes: &[
            "Without a PATH, the current directory is listed. The names of directories end with /.",
            "A size is in bytes, that of a directory in entries; a time is counted from the boot, and is",
            "that of the last change.",
        ],
        exit_codes: &[(1, "a path leads to nothing")],
        ..Usage::NONE
    },
    main: main,
}

/// Columns of a terminal.
const WIDTH: usize = 80;

fn main(arguments: &Arguments) -> ExitCode {
    let here = [String::from(".")];
    let paths = match arguments.operands() {
        [] => &here,
        paths => paths,
    };
    let mut code = ExitCode::SUCCESS;
    let mut listed = Vec::new();
    for path in paths {
        match entries_of(path) {
            Ok(entries) if arguments.has("json") => {
                listed.extend(entries.iter().map(|entry| describe(path, entry)));
            }
            Ok(entries) => {
                if paths.len() > 1 {
                    println!("{path}:");
                }
                if arguments.has("long") {
                    entries.iter().for_each(print_long);
                } else {
                    print_names(&entries);
                }
            }
            Err(error) => {
                eprintln!("ls: {error}");
                code = ExitCode::FAILURE;
            }
        }
    }
    if arguments.has("json") {
        println!("{}", Json::Array(listed));
    }
    code
}

/// The entries of a directory; a file is its own.
fn entries_of(path: &str) -> Result<Vec<Entry>, vfs::Error> {
    let metadata = vfs::metadata(path)?;
    match metadata.kind {
        Kind::Directory => vfs::list(path),
        Kind::File => Ok(vec![Entry {
            name: Box::from(path),
            metadata,
        }]),
    }
}

fn describe(path: &str, entry: &Entry) -> Json {
    let metadata = &entry.metadata;
    Json::object([
        ("directory", path.into()),
        ("name", (&*entry.name).into()),
        ("kind", metadata.kind.as_str().into()),
        ("length", metadata.length.into()),
        ("allocated", metadata.allocated.into()),
        ("modified_ns", metadata.modified_ns.into()),
        ("read_only", metadata.read_only.into()),
    ])
}

/// What stands behind a name.
const fn mark(entry: &Entry) -> &'static str {
    match entry.metadata.kind {
        Kind::Directory => "/",
        Kind::File => "",
    }
}

fn print_long(entry: &Entry) {
    let metadata = &entry.metadata;
    let seconds = metadata.modified_ns / 1_000_000_000;
    let millis = metadata.modified_ns / 1_000_000 % 1000;
    println!(
        "{}r{} {:>10} {seconds:>6}.{millis:03} {}{}",
        match metadata.kind {
            Kind::Directory => 'd',
            Kind::File => '-',
        },
        if metadata.read_only { '-' } else { 'w' },
        metadata.length,
        entry.name,
        mark(entry),
    );
}

/// Prints names in columns on a terminal, else a line each.
fn print_names(entries: &[Entry]) {
    let width = |entry: &Entry| entry.name.chars().count() + mark(entry).len();
    let widest = entries.iter().map(width).max().unwrap_or(0) + 2;
    let across = match task::streams().is_terminal() {
        true => (WIDTH / widest).max(1),
        false => 1,
    };
    let down = entries.len().div_ceil(across);
    for row in 0..down {
        let mut line = String::new();
        for entry in entries.iter().skip(row).step_by(down) {
            line.push_str(&entry.name);
            line.push_str(mark(entry));
            line.extend(core::iter::repeat_n(' ', widest - width(entry)));
        }
        print!("{}\n", line.trim_end());
    }
}
