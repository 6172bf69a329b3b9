//! The command line of the image builder.
#![forbid(unsafe_code)]

use image::{
    Options, build,
    error::{Error, Result},
    list, wrapper,
};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

const USAGE: &str = "usage: image build [--iso] [--manifest FILE] [--extra-manifest FILE]... \
                     [--out DIR] [--keep-going]\n       image list [--json] [the same options]";

fn main() -> ExitCode {
    if let Some(status) = wrapper::intercept() {
        return status;
    }
    match run(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string()),
    }
}

fn fail(message: &str) -> ExitCode {
    eprintln!("image: {message}");
    ExitCode::FAILURE
}

fn run(arguments: impl Iterator<Item = String>) -> Result<()> {
    let line = CommandLine::parse(arguments)?;
    let built = build(&line.options, &mut |step| eprintln!("image: {step}"))?;
    if line.list {
        let members = &built.members;
        println!(
            "{}",
            if line.json {
                list::json(members)
            } else {
                list::table(members)
            }
        );
    }
    for violation in &built.violations {
        eprintln!("image: warning: {violation}");
    }
    Ok(())
}

struct CommandLine {
    list: bool,
    json: bool,
    options: Options,
}

impl CommandLine {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let usage = || Error::Usage(USAGE.into());
        let root = workspace_root()?;
        let command = arguments.next().ok_or_else(usage)?;
        let mut json = false;
        if !["build", "list"].contains(&command.as_str()) {
            return Err(usage());
        }
        let mut options = Options {
            manifest: root.join("cfg/components.toml"),
            extra_manifests: Vec::new(),
            out: root.join("build"),
            program: std::env::current_exe().map_err(Error::io("find", Path::new("image")))?,
            iso: false,
            keep_going: false,
            objects_only: false,
            root,
        };
        while let Some(argument) = arguments.next() {
            let mut value = || {
                let missing = || Error::Usage(format!("{argument} needs a value\n{USAGE}"));
                arguments.next().map(PathBuf::from).ok_or_else(missing)
            };
            match argument.as_str() {
                "--manifest" => options.manifest = value()?,
                "--extra-manifest" => options.extra_manifests.push(value()?),
                "--out" => options.out = value()?,
                "--keep-going" => options.keep_going = true,
                "--iso" => options.iso = true,
                "--json" if command == "list" => json = true,
                _ => return Err(Error::Usage(format!("unknown option {argument}\n{USAGE}"))),
            }
        }
        Ok(Self {
            list: command == "list",
            json,
            options,
        })
    }
}

/// The folder, here or above, with the manifest of the workspace.
fn workspace_root() -> Result<PathBuf> {
    let here = std::env::current_dir().map_err(Error::io("find", Path::new(".")))?;
    let root = here
        .ancestors()
        .find(|folder| folder.join("cfg/components.toml").is_file());
    root.map(Path::to_owned).ok_or_else(|| {
        Error::Usage(format!(
            "{} lies in no workspace of the system",
            here.display()
        ))
    })
}
