//! `make push`: rebuild, find out what differs from what runs, send that, have it swapped in.

mod client;
mod difference;
mod error;
mod report;

pub use client::Client;
pub use difference::{Running, SwapSet};
pub use error::PushError;
pub use report::Report;

use crate::session::Sockets;
use image::{Build, Options as BuildOptions};
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// What to push, and where to.
#[derive(Clone, Debug)]
pub struct Options {
    /// The socket of the running system's second serial port.
    pub socket: PathBuf,
    /// The component that has to be among what is sent; all that changed if `None`.
    pub component: Option<String>,
    /// Manifests that extend the system's.
    pub extra_manifests: Vec<PathBuf>,
    /// Folder of the build.
    pub out: PathBuf,
    /// Only ask what would happen.
    pub dry_run: bool,
    /// Print the report as the system sent it, and nothing else, on standard output.
    pub json: bool,
}

impl Options {
    /// What `make push` does: `C` names the component.
    ///
    /// # Errors
    ///
    /// When an option is unknown or lacks its value.
    pub fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Result<Self, PushError> {
        let mut options = Self {
            socket: Sockets::inside(Path::new(crate::machine::BUILD)).push,
            component: std::env::var("C").ok().filter(|name| !name.is_empty()),
            extra_manifests: Vec::new(),
            out: crate::machine::BUILD.into(),
            dry_run: false,
            json: false,
        };
        while let Some(argument) = arguments.next() {
            let mut value = || {
                let missing = || PushError::Usage(format!("{argument} wants a value"));
                arguments.next().ok_or_else(missing)
            };
            match argument.as_str() {
                "--socket" => options.socket = value()?.into(),
                "--component" => options.component = Some(value()?),
                "--extra-manifest" => options.extra_manifests.push(value()?.into()),
                "--out" => options.out = value()?.into(),
                "--dry-run" => options.dry_run = true,
                "--json" => options.json = true,
                _ => return Err(PushError::Usage(format!("unknown option {argument}"))),
            }
        }
        Ok(options)
    }
}

/// Times of the steps on this side.
struct Clock {
    begin: Instant,
    silent: bool,
}

impl Clock {
    fn start(silent: bool) -> Self {
        Self {
            begin: Instant::now(),
            silent,
        }
    }

    fn step(&mut self, what: &str) {
        if !self.silent {
            println!("{:>7} ms  {what}", milliseconds(self.begin.elapsed()));
        }
        self.begin = Instant::now();
    }
}

fn milliseconds(time: Duration) -> u128 {
    time.as_millis()
}

/// Pushes, says what happened, and returns whether the system took it.
///
/// # Errors
///
/// When there is no system to talk to, the build fails, or the conversation breaks.
pub fn run(options: &Options) -> Result<bool, PushError> {
    // Ask first: a build is long, and for nothing if no system runs.
    let mut client = Client::connect(&options.socket)?;
    let running = Running::parse(&client.components()?)?;
    let mut clock = Clock::start(options.json);
    let build = build(options)?;
    clock.step("rebuilt");
    let set = SwapSet::compute(&build, &running)?;
    if let Some(component) = &options.component {
        set.require(component, &build)?;
    }
    if set.members.is_empty() {
        println!(
            "{}",
            if options.json {
                report::NOTHING
            } else {
                "nothing to push: this build runs"
            }
        );
        return Ok(true);
    }
    let objects = set.read(&build)?;
    if !options.json {
        for object in &objects {
            println!(
                "{:>7} KiB {}",
                object.bytes.len().div_ceil(1024),
                object.name
            );
        }
    }
    clock.step("compared with the running build");
    client.transfer(&objects, &set.identities)?;
    clock.step("sent");
    let document = client.commit(options.dry_run)?;
    clock.step("answered");
    if options.json {
        println!("{document}");
    }
    let report = Report::parse(&document)?;
    if !options.json {
        print!("{report}");
    }
    Ok(report.ok)
}

/// Rebuilds. The image builder is also the rustc wrapper, so its program is named and not this one.
fn build(options: &Options) -> Result<Build, PushError> {
    let own = std::env::current_exe().map_err(|source| PushError::Io {
        what: "finding the tools".into(),
        source,
    })?;
    let root = workspace_root()?;
    let build_options = BuildOptions {
        manifest: root.join("cfg/components.toml"),
        extra_manifests: options.extra_manifests.clone(),
        out: root.join(&options.out),
        program: own.with_file_name("image"),
        keep_going: false,
        objects_only: true,
        iso: false,
        root,
    };
    image::build(&build_options, &mut |step| eprintln!("image: {step}"))
        .map_err(|error| PushError::Build(error.to_string()))
}

fn workspace_root() -> Result<PathBuf, PushError> {
    let here = std::env::current_dir()
        .and_then(fs::canonicalize)
        .map_err(|source| PushError::Io {
            what: "finding the workspace".into(),
            source,
        })?;
    let root = here
        .ancestors()
        .find(|folder| folder.join("cfg/components.toml").is_file());
    root.map(Path::to_owned).ok_or(PushError::Usage(
        "not inside a workspace of the system".into(),
    ))
}
