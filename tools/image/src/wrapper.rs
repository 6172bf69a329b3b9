//! The rustc wrapper: makes symbol names independent of cargo's bookkeeping.
//!
//! Cargo folds features, dependencies, profile and source folder into `-C metadata`, and rustc folds
//! that into every v0 name. A component's names must not change when it gets a dependency, so the
//! wrapper replaces the value, for crates compiled for the target only, by the crate's name and
//! compatible version (by name alone, two versions of one crate in a build would collide). Crates of
//! the host (build scripts, procedural macros) are compiled without `--target` and left alone.

use std::{
    ffi::{OsStr, OsString},
    io,
    process::{Command, ExitCode, ExitStatus},
};

/// Set in the environment of cargo, so that the program knows that it is called as the wrapper.
pub const MODE: &str = "STRAKE_RUSTC_WRAPPER";

/// First part of each crate's metadata; a change renames every symbol.
const PREFIX: &str = "strake";

/// Does the wrapper's work when cargo has called this program as the wrapper, and gives the status to
/// end with. Every program that builds by this library asks this first.
#[must_use]
pub fn intercept() -> Option<ExitCode> {
    std::env::var_os(MODE)?;
    Some(match run(std::env::args_os().skip(1)) {
        Ok(status) => ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1)),
        Err(error) => {
            eprintln!("rustc wrapper: {error}");
            ExitCode::FAILURE
        }
    })
}

/// Runs the compiler that `arguments` name, with the metadata replaced.
fn run(mut arguments: impl Iterator<Item = OsString>) -> io::Result<ExitStatus> {
    let rustc = arguments
        .next()
        .ok_or_else(|| io::Error::other("no compiler named"))?;
    let version = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let arguments = rewrite(arguments.collect(), &version);
    Command::new(rustc).args(arguments).status()
}

/// The compiler's arguments, with `-C metadata` replaced when they compile for the target.
fn rewrite(mut arguments: Vec<OsString>, version: &str) -> Vec<OsString> {
    let for_target = arguments.iter().any(|argument| {
        argument == "--target"
            || argument
                .to_str()
                .is_some_and(|a| a.starts_with("--target="))
    });
    let Some(name) = value_after(&arguments, "--crate-name") else {
        return arguments;
    };
    if for_target {
        let metadata = format!("{PREFIX}-{name}-{}", compatible(version));
        for index in 1..arguments.len() {
            let (before, from) = arguments.split_at_mut(index);
            if before.last().is_some_and(|flag| flag == "-C")
                && let Some(option) = from.first_mut()
                && starts_with(option, "metadata=")
            {
                *option = format!("metadata={metadata}").into();
            }
        }
        for argument in &mut arguments {
            if starts_with(argument, "-Cmetadata=") {
                *argument = format!("-Cmetadata={metadata}").into();
            }
        }
    }
    arguments
}

/// The part of a version that semantic versioning takes as compatible: the major number, or, when
/// that is 0, `0.minor`.
pub fn compatible(version: &str) -> String {
    let mut numbers = version.split(['.', '-', '+']);
    let major = numbers.next().unwrap_or("0");
    if major == "0" {
        format!("0.{}", numbers.next().unwrap_or("0"))
    } else {
        major.to_owned()
    }
}

fn value_after(arguments: &[OsString], flag: &str) -> Option<String> {
    let position = arguments.iter().position(|argument| argument == flag)?;
    Some(arguments.get(position + 1)?.to_str()?.to_owned())
}

fn starts_with(argument: &OsStr, prefix: &str) -> bool {
    argument
        .to_str()
        .is_some_and(|argument| argument.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(arguments: &str, version: &str) -> String {
        let arguments = arguments.split(' ').map(OsString::from).collect();
        let arguments = rewrite(arguments, version);
        arguments
            .iter()
            .map(|a| a.to_string_lossy())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn metadata_of_a_target_crate_names_crate_and_compatible_version() {
        let line =
            "--crate-name log src/lib.rs -C metadata=12ab -C extra-filename=-12ab --target x";
        assert_eq!(
            rewritten(line, "0.4.35"),
            "--crate-name log src/lib.rs -C metadata=strake-log-0.4 -C extra-filename=-12ab --target x"
        );
        assert_eq!(
            rewritten("--crate-name bitflags -Cmetadata=1 --target=x", "2.13.2"),
            "--crate-name bitflags -Cmetadata=strake-bitflags-2 --target=x"
        );
    }

    #[test]
    fn host_crates_and_queries_are_left_alone() {
        let line = "--crate-name syn src/lib.rs -C metadata=12ab";
        assert_eq!(rewritten(line, "3.0.9"), line);
        assert_eq!(rewritten("-vV", ""), "-vV");
    }

    #[test]
    fn compatible_versions() {
        assert_eq!(compatible("1.2.3"), "1");
        assert_eq!(compatible("0.15.5"), "0.15");
        assert_eq!(compatible("2.0.0-rc.1"), "2");
        assert_eq!(compatible("0"), "0.0");
    }
}
