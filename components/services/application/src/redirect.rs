//! Streams that lead somewhere else than those of whoever starts a command.

use crate::{PipeReader, PipeWriter};
use alloc::{format, string::String, sync::Arc};
use mutex::Mutex;
use task::{StreamError, Streams};
use vfs::{OpenFile, OpenOptions, Reason, Shown, path};

/// A file that a stream comes from or leads to.
pub struct StreamFile {
    file: OpenFile,
    path: Arc<str>,
}

impl StreamFile {
    /// Opens the file that `path` names.
    ///
    /// # Errors
    ///
    /// Those of [`OpenOptions::open`].
    pub fn open(options: OpenOptions, path: &str) -> Result<Self, vfs::Error> {
        let file = options.open(path)?;
        let path = path::absolute(&vfs::current_directory(), path);
        Ok(Self {
            file,
            path: Arc::from(path),
        })
    }
}

/// Where input comes from.
pub enum Source {
    /// From a pipe.
    Pipe(PipeReader),
    /// From a file, from where it is now on.
    File(StreamFile),
}

/// Where output goes.
pub enum Sink {
    /// Into a pipe.
    Pipe(PipeWriter),
    /// Into a file.
    File(StreamFile),
}

/// Where error output goes.
pub enum ErrorSink {
    /// Somewhere of its own.
    Own(Sink),
    /// Where the output goes.
    Output,
}

/// What is different from the streams below; what is none stays.
#[derive(Default)]
pub struct Redirection {
    /// The input.
    pub input: Option<Source>,
    /// The output.
    pub output: Option<Sink>,
    /// The error output.
    pub error: Option<ErrorSink>,
    /// The directory: absolute, in its shortest form.
    pub directory: Option<Arc<str>>,
}

impl Redirection {
    const fn is_none(&self) -> bool {
        matches!(
            self,
            Self {
                input: None,
                output: None,
                error: None,
                directory: None,
            }
        )
    }
}

/// Streams that are those `below` but for what `redirection` says.
///
/// Made here and never inlined, because whoever makes a trait object gives it a vtable of its own:
/// a shell's would go with the shell, while the task that has the streams may live on.
#[inline(never)]
#[must_use]
pub fn redirect(redirection: Redirection, below: Arc<dyn Streams>) -> Arc<dyn Streams> {
    if redirection.is_none() {
        return below;
    }
    let Redirection {
        input,
        output,
        error,
        directory,
    } = redirection;
    Arc::new(Redirected {
        input: input.map(|source| match source {
            Source::Pipe(pipe) => End::Pipe(pipe),
            Source::File(file) => End::file(file),
        }),
        output: output.map(end_of),
        error: error.map(|error| match error {
            ErrorSink::Own(sink) => Some(end_of(sink)),
            ErrorSink::Output => None,
        }),
        directory,
        below,
    })
}

fn end_of(sink: Sink) -> End<PipeWriter> {
    match sink {
        Sink::Pipe(pipe) => End::Pipe(pipe),
        Sink::File(file) => End::file(file),
    }
}

/// One end of a stream. A file has one place that all who have the stream share.
enum End<P> {
    Pipe(P),
    File {
        state: Mutex<FileState>,
        path: Arc<str>,
    },
}

struct FileState {
    file: OpenFile,
    /// Why the last write that failed did.
    failure: Option<Reason>,
}

impl<P> End<P> {
    fn file(StreamFile { file, path }: StreamFile) -> Self {
        let failure = None;
        Self::File {
            state: Mutex::new(FileState { file, failure }),
            path,
        }
    }

    fn path(&self) -> Option<Arc<str>> {
        match self {
            Self::Pipe(_) => None,
            Self::File { path, .. } => Some(Arc::clone(path)),
        }
    }
}

/// Streams of which some lead elsewhere.
struct Redirected {
    input: Option<End<PipeReader>>,
    output: Option<End<PipeWriter>>,
    /// None inside stands for the output.
    error: Option<Option<End<PipeWriter>>>,
    directory: Option<Arc<str>>,
    below: Arc<dyn Streams>,
}

impl End<PipeWriter> {
    fn write(&self, bytes: &[u8]) -> Result<usize, StreamError> {
        match self {
            Self::Pipe(pipe) => pipe.write(bytes),
            Self::File { state, .. } => {
                task::safe_point();
                let mut state = state.lock();
                let written = state.file.write(bytes);
                written.map_err(|reason| {
                    state.failure = Some(reason);
                    stream_error(reason)
                })
            }
        }
    }

    fn failure(&self) -> Option<String> {
        match self {
            Self::Pipe(_) => None,
            Self::File { state, path } => {
                let reason = state.lock().failure?;
                Some(format!("{}: {reason}", Shown(path)))
            }
        }
    }
}

const fn stream_error(reason: Reason) -> StreamError {
    match reason {
        Reason::Full | Reason::TooLong { .. } => StreamError::Full,
        _ => StreamError::Device,
    }
}

impl Streams for Redirected {
    fn read(&self, buffer: &mut [u8]) -> Result<usize, StreamError> {
        match &self.input {
            Some(End::Pipe(pipe)) => Ok(pipe.read(buffer)),
            Some(End::File { state, .. }) => {
                task::safe_point();
                state.lock().file.read(buffer).map_err(stream_error)
            }
            None => self.below.read(buffer),
        }
    }

    fn write(&self, bytes: &[u8]) -> Result<usize, StreamError> {
        match &self.output {
            Some(end) => end.write(bytes),
            None => self.below.write(bytes),
        }
    }

    fn write_error(&self, bytes: &[u8]) -> Result<usize, StreamError> {
        match &self.error {
            Some(Some(end)) => end.write(bytes),
            Some(None) => self.write(bytes),
            None => self.below.write_error(bytes),
        }
    }

    fn is_terminal(&self) -> bool {
        self.input.is_none() && self.output.is_none() && self.below.is_terminal()
    }

    fn directory(&self) -> Option<Arc<str>> {
        let own = self.directory.clone();
        own.or_else(|| self.below.directory())
    }

    fn input_path(&self) -> Option<Arc<str>> {
        match &self.input {
            Some(end) => end.path(),
            None => self.below.input_path(),
        }
    }

    fn output_path(&self) -> Option<Arc<str>> {
        match &self.output {
            Some(end) => end.path(),
            None => self.below.output_path(),
        }
    }

    fn output_failure(&self) -> Option<String> {
        match &self.output {
            Some(end) => end.failure(),
            None => self.below.output_failure(),
        }
    }
}
