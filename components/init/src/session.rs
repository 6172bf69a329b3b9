//! The session: the application on the console, run again whenever it ends, unless the machine was
//! started for commands: then it ends the machine when it has run them, and nobody waits for another one.

use alloc::{borrow::ToOwned, string::String, sync::Arc};
use core::{fmt, time::Duration};
use handover::Handover;
use linker::format::archive::{Archive, ArchiveError};
use loader::LoadError;
use task::{Builder, Failure, JoinHandle, Kept, SpawnError};

/// Stack of the session in bytes.
const STACK_BYTES: usize = 256 * 1024;
/// A session that lives shorter than this has failed.
const LIFETIME_MIN: Duration = Duration::from_millis(500);
/// After so many failures in a row there is no point in trying again.
const FAILURES_MAX: u32 = 5;

/// The machine's exit status when the session has ended before the commands that the machine was started
/// for. The nucleus ends it with those from 101 to 105.
const COMMANDS_UNFINISHED: u8 = 106;

/// Why there is no session.
#[derive(Debug)]
pub(crate) enum SessionError {
    /// The archive names none.
    None(ArchiveError),
    /// Its application cannot be loaded.
    Load {
        /// The application.
        name: String,
        /// Why.
        error: LoadError,
    },
    /// It cannot have a task.
    Spawn(SpawnError),
    /// It ends again and again.
    KeepsEnding {
        /// The application.
        name: String,
        /// How it ended last, when it did not return.
        failure: Option<Failure>,
    },
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None(error) => write!(f, "the archive names no session: {error}"),
            Self::Load { name, error } => write!(f, "the session {name} cannot be loaded: {error}"),
            Self::Spawn(error) => write!(f, "the session cannot run: {error}"),
            Self::KeepsEnding { name, failure } => {
                write!(f, "the session {name} ended {FAILURES_MAX} times at once")?;
                failure
                    .as_ref()
                    .map_or(Ok(()), |failure| write!(f, ", the last time by {failure}"))
            }
        }
    }
}

impl core::error::Error for SessionError {}

/// The session that runs, if one does, and how it has gone so far. It outlives a failure of the flow that
/// keeps it.
#[derive(Default)]
pub(crate) struct Session {
    running: Option<JoinHandle>,
    /// Whether there has been one.
    begun: bool,
    started_ns: u64,
    failures: u32,
}

impl Session {
    /// Runs the session of the archive for as long as there is one to run.
    pub(crate) fn keep(&mut self, handover: &'static Handover) -> SessionError {
        let name = match name(handover) {
            Ok(name) => name,
            Err(error) => return SessionError::None(error),
        };
        loop {
            if self.running.is_none() {
                if core::mem::replace(&mut self.begun, true) {
                    end_if_unfinished(name);
                }
                self.started_ns = task::now_ns();
                match start(name) {
                    Ok(started) => self.running = Some(started),
                    Err(error) => return error,
                }
            }
            let ending = self.wait();
            match &ending {
                Ok(()) => log::info!("the session {name} has ended"),
                Err(failure) => log::error!("the session {name} has failed: {failure}"),
            }
            let lived = Duration::from_nanos(task::now_ns().saturating_sub(self.started_ns));
            self.failures = if lived < LIFETIME_MIN {
                self.failures + 1
            } else {
                0
            };
            if self.failures == FAILURES_MAX {
                return SessionError::KeepsEnding {
                    name: name.to_owned(),
                    failure: ending.err(),
                };
            }
        }
    }

    /// Waits for the end of the session that runs.
    fn wait(&mut self) -> Result<(), Failure> {
        if let Some(running) = &self.running {
            running.wait_through_faults();
        }
        self.running.take().map_or(Ok(()), JoinHandle::join)
    }
}

/// Ends the machine if it was started for commands: the session that has ended has not come to their end,
/// and there may be nobody who would type at the next one.
fn end_if_unfinished(name: &str) {
    if fw_cfg::read(fw_cfg::COMMANDS).is_some() {
        cpu::emergency_print(format_args!(
            "\nthe session {name} has ended before the commands that it was to run\n"
        ));
        power::exit(COMMANDS_UNFINISHED);
    }
}

/// The name of the session's application.
fn name(handover: &'static Handover) -> Result<&'static str, ArchiveError> {
    let archive = Archive::parse(handover.archive.as_slice())?;
    Ok(archive.text(archive.member(archive.header.session)?.name))
}

/// Starts the session, as an instance and a task of its own, like any other command's.
fn start(name: &'static str) -> Result<JoinHandle, SessionError> {
    let instance = loader::instantiate(name).map_err(|error| SessionError::Load {
        name: name.to_owned(),
        error,
    })?;
    let instance = Arc::new(instance);
    let session = Builder::new(name)
        .component(name)
        .stack_size(STACK_BYTES)
        .streams(console::streams())
        .keep(Arc::clone(&instance) as Kept);
    let body = move || {
        (instance.entry().main)(&[name]);
    };
    session.spawn(body).map_err(SessionError::Spawn)
}
