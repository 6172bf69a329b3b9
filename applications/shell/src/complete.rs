//! What the Tab key offers: commands, components, paths, and what a command's own `--help` names.

use crate::built_in;
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use application::{PipeReader, Redirection, Sink, Source, pipe, redirect, run};
use line_editor::{Completer, Completion};
use vfs::Kind;

/// What a command calls operands that are paths.
const PATHS: [&str; 3] = ["FILE", "PATH", "DIRECTORY"];

/// Longest help text that is read.
const HELP_LIMIT: usize = 16 * 1024;

/// What ends a word, unless it is quoted.
const SEPARATORS: [char; 6] = [' ', '|', ';', '&', '<', '>'];

/// Completes shell lines.
pub(crate) struct Commands;

impl Completer for Commands {
    fn complete(&self, before_cursor: &str) -> Completion {
        let command_start = last_separator(before_cursor, &['|', ';', '&']);
        let command = before_cursor.get(command_start..).unwrap_or("");
        let start = last_separator(before_cursor, &SEPARATORS);
        let word = before_cursor.get(start..).unwrap_or("");
        let mut words = command.split_whitespace();
        let first = words
            .next()
            .filter(|first| command.trim_start().len() > first.len());
        let before = before_cursor.get(..start).unwrap_or("").trim_end();
        let mut candidates = if before.ends_with(['<', '>']) {
            paths(word, false)
        } else {
            match first {
                None if word.contains('/') => paths(word, false),
                None => command_names(),
                Some(name) => arguments_of(name, word),
            }
        };
        candidates.retain(|candidate| candidate.starts_with(word));
        candidates.sort_unstable();
        candidates.dedup();
        Completion { start, candidates }
    }
}

/// Where the text behind the last of `separators` begins. One behind a backslash separates nothing.
fn last_separator(text: &str, separators: &[char]) -> usize {
    let mut start = 0;
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        if !escaped && separators.contains(&character) {
            start = at + 1;
        }
        escaped = !escaped && character == '\\';
    }
    start
}

/// The paths that begin with `word`, as they would be typed; those of directories end with `/`.
fn paths(word: &str, only_directories: bool) -> Vec<String> {
    let typed = word
        .rfind('/')
        .map_or("", |at| word.get(..=at).unwrap_or(""));
    let directory = match typed {
        "" => String::from("."),
        typed => unescaped(typed),
    };
    let Ok(entries) = vfs::list(&directory) else {
        return Vec::new();
    };
    let entries = entries.iter().filter_map(|entry| {
        let end = match entry.metadata.kind {
            Kind::Directory => "/",
            Kind::File if only_directories => return None,
            Kind::File => "",
        };
        Some(format!("{typed}{}{end}", escaped(&entry.name)))
    });
    entries.collect()
}

/// A name as it is typed, what the shell would act on behind backslashes.
fn escaped(name: &str) -> String {
    let mut typed = String::with_capacity(name.len());
    for character in name.chars() {
        if SEPARATORS.contains(&character) || "\\'\"$#".contains(character) {
            typed.push('\\');
        }
        typed.push(character);
    }
    typed
}

/// What a name means that was typed.
fn unescaped(typed: &str) -> String {
    let mut name = String::with_capacity(typed.len());
    let mut characters = typed.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => name.extend(characters.next()),
            plain => name.push(plain),
        }
    }
    name
}

fn command_names() -> Vec<String> {
    let commands = loader::commands().into_iter().map(|command| command.name);
    commands
        .chain(built_in::NAMES.iter().map(ToString::to_string))
        .collect()
}

/// What may stand behind the command `name`, by what its help says: its options, or its operands.
fn arguments_of(name: &str, word: &str) -> Vec<String> {
    if built_in::NAMES.contains(&name) {
        return if name == "cd" {
            paths(word, true)
        } else {
            Vec::new()
        };
    }
    if word.contains('/') {
        return paths(word, false);
    }
    let Some(help) = help_of(name) else {
        return Vec::new();
    };
    if word.starts_with('-') {
        return options_in(&help);
    }
    let usage = help
        .lines()
        .find(|line| line.starts_with("usage:"))
        .unwrap_or("");
    let operands = usage.split("[OPTION]…").nth(1).unwrap_or("");
    if operands.contains("COMPONENT") {
        component_names(operands.contains("[=BUILD]"))
    } else if operands.contains("COMMAND") {
        command_names()
    } else if PATHS.iter().any(|path| operands.contains(path)) {
        paths(
            word,
            !operands.contains("FILE") && !operands.contains("PATH"),
        )
    } else {
        operands
            .split_whitespace()
            .filter(|text| text.contains('|'))
            .flat_map(choices)
            .collect()
    }
}

/// The words of an operand that is one of several words: `panic|divide`.
fn choices(operand: &str) -> impl Iterator<Item = String> {
    operand
        .trim_matches(['[', ']', '…'])
        .split('|')
        .map(ToString::to_string)
}

fn options_in(help: &str) -> Vec<String> {
    help.lines()
        .filter(|line| line.starts_with("  "))
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with("--")))
        .map(|option| match option.split_once('=') {
            Some((name, _)) => name.to_string() + "=",
            None => option.to_string(),
        })
        .collect()
}

/// Every component of the archive, linked or not; with `builds` its alternates too, as `swap` takes
/// them.
fn component_names(builds: bool) -> Vec<String> {
    let Ok(archive) = loader::archive() else {
        return Vec::new();
    };
    let members = archive.members.iter();
    members
        .filter_map(|member| match archive.text(member.variant) {
            "" => Some(archive.text(member.name).to_string()),
            build => builds.then(|| format!("{}={build}", archive.text(member.name))),
        })
        .collect()
}

/// What `name --help` prints; `None` for what is not a command.
fn help_of(name: &str) -> Option<String> {
    let (writer, reader) = pipe();
    let redirection = Redirection {
        input: Some(Source::Pipe(pipe().1)),
        output: Some(Sink::Pipe(writer)),
        ..Redirection::default()
    };
    let streams = redirect(redirection, task::streams());
    let child = run(&[name.to_string(), "--help".to_string()], streams).ok()?;
    let text = read_all(&reader);
    drop(reader); // So that a longer text does not wait for its reader for ever.
    child.wait();
    Some(text)
}

fn read_all(reader: &PipeReader) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 512];
    while bytes.len() < HELP_LIMIT {
        let count = reader.read(&mut buffer);
        if count == 0 {
            break;
        }
        bytes.extend(buffer.iter().take(count));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
