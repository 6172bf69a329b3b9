//! Running a command.

use crate::{ExitCode, near};
use alloc::{
    borrow::ToOwned,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};
use core::{
    fmt,
    sync::atomic::{AtomicU8, Ordering},
};
use loader::{Instance, LoadError, ObjectBytes, ReceivedObject};
use task::{Builder, Failure, JoinHandle, Kept, SpawnError, Streams, TaskId};
use vfs::{OpenOptions, Reason, Shown};

/// Stack of an application in bytes.
const STACK_SIZE: usize = 128 * 1024;

/// Why a command could not be run.
#[derive(Debug)]
pub enum RunError {
    /// There is no word that names a command.
    NoCommand,
    /// No command has this name.
    Unknown {
        /// As typed.
        name: String,
        /// Commands with a similar name.
        near: Vec<String>,
    },
    /// Its application could not be loaded.
    Load {
        /// The command.
        name: String,
        /// Why.
        error: LoadError,
    },
    /// The path that names it leads to no file that can be read.
    File(vfs::Error),
    /// There is no task for it.
    Spawn(SpawnError),
}

impl RunError {
    /// The exit code that stands for the command's own.
    #[must_use]
    pub fn code(&self) -> ExitCode {
        match self {
            Self::Unknown { .. } | Self::NoCommand => ExitCode::NOT_FOUND,
            Self::File(error) if error.reason() == Reason::NotFound => ExitCode::NOT_FOUND,
            Self::File(_) | Self::Load { .. } | Self::Spawn(_) => ExitCode(126),
        }
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCommand => f.write_str("there is no command to run"),
            Self::Unknown { name, near } => {
                write!(f, "there is no command '{name}'")?;
                match near.as_slice() {
                    [] => f.write_str("; 'help' lists them"),
                    near => write!(f, "; did you mean {}?", near.join(" or ")),
                }
            }
            Self::Load { name, error } => {
                write!(f, "{} could not be loaded: {error}", Shown(name))
            }
            Self::File(error) => error.fmt(f),
            Self::Spawn(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for RunError {}

/// A command that runs. Dropping it without [`Child::wait`] or [`Child::detach`] kills it, so that
/// whoever is killed while it waits takes its children along.
#[derive(Debug)]
pub struct Child {
    handle: Option<JoinHandle>,
    id: TaskId,
    code: Arc<AtomicU8>,
    /// Whether nobody needs it any more once this value is gone.
    kill_on_drop: bool,
}

/// Loads an instance of the application that `words` name and runs it as a task with `streams`. A name
/// with a `/` in it is the path of the application's object.
///
/// # Errors
///
/// When there is no such command or file, or it cannot be loaded or started.
pub fn run(words: &[String], streams: Arc<dyn Streams>) -> Result<Child, RunError> {
    let name = words.first().ok_or(RunError::NoCommand)?;
    let loaded = if name.contains('/') {
        loader::instantiate_object(name, object(name)?)
    } else {
        loader::instantiate(&find(name)?)
    };
    let instance = loaded.map_err(|error| RunError::Load {
        name: name.clone(),
        error,
    })?;
    let instance = Arc::new(instance);
    let code = Arc::new(AtomicU8::new(0));
    let task_name = vfs::path::last_name(name).unwrap_or(name);
    let handle = Builder::new(task_name)
        .component(instance.name())
        .stack_size(STACK_SIZE)
        .streams(streams)
        .keep(Arc::clone(&instance) as Kept)
        .spawn(body(instance, words.to_owned(), Arc::clone(&code)))
        .map_err(RunError::Spawn)?;
    Ok(Child {
        id: handle.id(),
        handle: Some(handle),
        code,
        kill_on_drop: true,
    })
}

/// The bytes of the object at `path`: those of the archive where they lie, if the file is one of its.
fn object(path: &str) -> Result<ObjectBytes, RunError> {
    let failed = |reason| RunError::File(vfs::Error::new(path, reason));
    let mut file = OpenOptions::READ.open(path).map_err(RunError::File)?;
    if let Some(known) = file.bytes().and_then(ObjectBytes::in_archive) {
        return Ok(known);
    }
    let length = usize::try_from(file.metadata().length).unwrap_or(usize::MAX);
    let mut copy = ReceivedObject::with_length(length).map_err(|_| failed(Reason::NoMemory))?;
    let mut rest = copy.as_mut();
    while !rest.is_empty() {
        let count = file.read(rest).map_err(failed)?;
        if count == 0 {
            break; // It was cut off meanwhile; the zeros behind it are no object.
        }
        rest = rest.split_at_mut(count).1;
    }
    Ok(ObjectBytes::Received(copy.seal()))
}

/// The application of the command `name`.
fn find(name: &str) -> Result<String, RunError> {
    if let Some(application) = loader::application_of(name) {
        return Ok(application.to_owned());
    }
    let commands = loader::commands();
    let known = commands.iter().map(|command| command.name.as_str());
    let near = near::matches(name, known)
        .into_iter()
        .map(ToString::to_string)
        .collect();
    Err(RunError::Unknown {
        name: name.to_owned(),
        near,
    })
}

/// The task's body. The instance is gone when the task is, however it went, and all that it has spawned.
fn body(instance: Arc<Instance>, words: Vec<String>, code: Arc<AtomicU8>) -> impl FnOnce() + Send {
    move || {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let result = (instance.entry().main)(&words);
        code.store(result, Ordering::Release);
    }
}

impl Child {
    /// The task that runs the command.
    #[must_use]
    pub const fn id(&self) -> TaskId {
        self.id
    }

    /// Whether the command has ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.handle.as_ref().is_none_or(JoinHandle::is_over)
    }

    /// Waits until the command has ended. A safe point.
    pub fn wait(mut self) -> ExitCode {
        let Some(handle) = self.handle.take() else {
            return ExitCode::SUCCESS;
        };
        // `self` lives on while this waits: were the waiting task killed, it would kill the child.
        handle.wait_through_faults();
        let result = handle.join();
        self.kill_on_drop = false;
        match result {
            Ok(()) => ExitCode(self.code.load(Ordering::Acquire)),
            Err(Failure::Killed) => ExitCode::KILLED,
            Err(Failure::Exited { status }) => {
                ExitCode(u8::try_from(status).unwrap_or(ExitCode::FAILURE.0))
            }
            Err(_) => ExitCode::FAULT,
        }
    }

    /// Lets the command run on by itself.
    pub fn detach(mut self) {
        self.kill_on_drop = false;
    }

    /// Asks the command to end.
    pub fn kill(&self) {
        // That it has ended by itself meanwhile is as good.
        let _ = task::kill(self.id);
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.kill_on_drop {
            self.kill();
        }
    }
}
