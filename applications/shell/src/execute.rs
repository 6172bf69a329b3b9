//! Running what a line says.

use crate::{built_in, job::Job};
use alloc::{format, string::String, sync::Arc, vec::Vec};
use application::{
    ErrorSink, ExitCode, PipeReader, PipeWriter, Redirection, Sink, Source, StreamFile, eprintln,
    pipe, redirect, run,
};
use command_line::syntax::{self, Mode, Step};
use task::Streams;
use vfs::OpenOptions;

/// What a shell remembers from line to line.
pub(crate) struct Shell {
    status: ExitCode,
    /// The streams that it was started with.
    below: Arc<dyn Streams>,
    /// Its directory, once it was set.
    directory: Option<Arc<str>>,
    /// Jobs in the background, oldest first.
    pub(crate) jobs: Vec<Job>,
    /// Whom it serves.
    pub(crate) role: Role,
    /// Whether `exit` was called.
    over: bool,
}

/// Whom a shell serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It is itself a command that somebody waits for: Ctrl-C ends it with its job.
    Script,
    /// A person, who started it from another shell and can leave it.
    Person,
    /// The console: it is the system's session and has nowhere to go back to.
    Session,
}

impl Shell {
    /// A shell with the current task's streams.
    pub(crate) fn new() -> Self {
        Self {
            status: ExitCode::SUCCESS,
            below: task::streams(),
            directory: None,
            jobs: Vec::new(),
            role: Role::Script,
            over: false,
        }
    }

    /// The status of the last command.
    pub(crate) fn status(&self) -> ExitCode {
        self.status
    }

    pub(crate) fn set_status(&mut self, status: ExitCode) {
        self.status = status;
    }

    /// Whether the shell is to end.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// Takes the end back.
    pub(crate) fn stay(&mut self) {
        self.over = false;
    }

    /// Lets the shell end with `status`.
    pub(crate) fn end(&mut self, status: ExitCode) {
        self.set_status(status);
        self.over = true;
    }

    /// Runs a line, or several.
    pub(crate) fn execute(&mut self, text: &str) {
        match syntax::parse(text) {
            Ok(steps) => steps.iter().for_each(|step| self.step(step)),
            Err(error) => {
                eprintln!("shell: {error}");
                self.set_status(ExitCode::USAGE);
            }
        }
    }

    fn step(&mut self, step: &Step) {
        if self.over || !step.condition.holds(self.status().0) {
            return;
        }
        let commands: Vec<Command> = step
            .pipeline
            .iter()
            .map(|command| self.expand(command))
            .collect();
        if let [command] = commands.as_slice()
            && built_in::is_built_in(command)
        {
            let status = self.run_built_in(command);
            self.set_status(status);
            return;
        }
        let job = start(&commands, step.background);
        if step.background {
            self.keep(job);
        } else {
            let status = job.wait(self.role);
            self.set_status(status);
        }
    }

    fn expand(&self, command: &syntax::Command) -> Command {
        let expand = |word: &syntax::Word| word.expand(self.status().0);
        let redirect = |redirection: &syntax::Redirection| match redirection {
            syntax::Redirection::Input(path) => Lead::Input(expand(path)),
            syntax::Redirection::Output(path, mode) => Lead::Output(expand(path), *mode),
            syntax::Redirection::Error(path, mode) => Lead::Error(expand(path), *mode),
            syntax::Redirection::ErrorToOutput => Lead::ErrorToOutput,
        };
        Command {
            words: command.words.iter().map(expand).collect(),
            leads: command.redirections.iter().map(redirect).collect(),
        }
    }

    /// Runs a built-in command with its own redirections.
    fn run_built_in(&mut self, command: &Command) -> ExitCode {
        let redirection = match command.open(None, None) {
            Ok(redirection) => redirection,
            Err(error) => {
                eprintln!("shell: {error}");
                return ExitCode::FAILURE;
            }
        };
        let streams = redirect(redirection, self.streams());
        task::with_current(|shell| shell.set_streams(streams));
        let status = built_in::run(self, &command.words);
        // Those of the shell itself again, perhaps with another directory.
        let streams = self.streams();
        task::with_current(|shell| shell.set_streams(streams));
        status
    }

    /// The shell's own streams.
    fn streams(&self) -> Arc<dyn Streams> {
        let redirection = Redirection {
            directory: self.directory.clone(),
            ..Redirection::default()
        };
        redirect(redirection, Arc::clone(&self.below))
    }

    /// Sets the directory at which relative paths begin, for the shell and for all that it starts.
    pub(crate) fn set_directory(&mut self, directory: Arc<str>) {
        self.directory = Some(directory);
    }

    fn keep(&mut self, mut job: Job) {
        job.number = self.jobs.iter().map(|job| job.number).max().unwrap_or(0) + 1;
        eprintln!("[{}] {}", job.number, job.text);
        self.jobs.push(job);
        self.set_status(ExitCode::SUCCESS);
    }

    /// Says which jobs in the background have ended, and forgets them.
    pub(crate) fn report_jobs(&mut self) {
        let jobs = core::mem::take(&mut self.jobs);
        let (over, running): (Vec<Job>, _) = jobs.into_iter().partition(Job::is_over);
        self.jobs = running;
        for job in over {
            let (number, text) = (job.number, job.text.clone());
            eprintln!(
                "[{number}] done with status {}: {text}",
                job.wait_for_members()
            );
        }
    }
}

/// A command that is about to run.
pub(crate) struct Command {
    /// Its name and arguments.
    pub(crate) words: Vec<String>,
    leads: Vec<Lead>,
}

/// Where a stream leads.
enum Lead {
    Input(String),
    Output(String, Mode),
    Error(String, Mode),
    ErrorToOutput,
}

impl Command {
    /// Opens the files that the command's streams lead to; what is not redirected is `input` and
    /// `output`.
    fn open(
        &self,
        input: Option<PipeReader>,
        output: Option<PipeWriter>,
    ) -> Result<Redirection, vfs::Error> {
        let mut redirection = Redirection {
            input: input.map(Source::Pipe),
            output: output.map(Sink::Pipe),
            ..Redirection::default()
        };
        for lead in &self.leads {
            match lead {
                Lead::Input(path) => {
                    redirection.input =
                        Some(Source::File(StreamFile::open(OpenOptions::READ, path)?));
                }
                Lead::Output(path, mode) => redirection.output = Some(open(path, *mode)?),
                Lead::Error(path, mode) => {
                    redirection.error = Some(ErrorSink::Own(open(path, *mode)?));
                }
                Lead::ErrorToOutput => redirection.error = Some(ErrorSink::Output),
            }
        }
        Ok(redirection)
    }
}

fn open(path: &str, mode: Mode) -> Result<Sink, vfs::Error> {
    let options = match mode {
        Mode::Replace => OpenOptions::REPLACE,
        Mode::Append => OpenOptions::APPEND,
    };
    StreamFile::open(options, path).map(Sink::File)
}

/// Starts the commands of a pipeline. One that cannot be started is reported, and stands in the job
/// with its status.
fn start(commands: &[Command], background: bool) -> Job {
    let below = task::streams();
    let mut job = Job::new(commands);
    // A job in the background does not read what is typed to the shell.
    let mut input = background.then(|| pipe().1);
    for (index, command) in commands.iter().enumerate() {
        let (output, next) = if index + 1 < commands.len() {
            let (writer, reader) = pipe();
            (Some(writer), Some(reader))
        } else {
            (None, None)
        };
        let redirection = command.open(input.take(), output);
        input = next;
        let redirection = match redirection {
            Ok(redirection) => redirection,
            Err(error) => {
                eprintln!("shell: {error}");
                job.push_failed(ExitCode::FAILURE);
                continue;
            }
        };
        let streams = redirect(redirection, Arc::clone(&below));
        match run(&command.words, Arc::clone(&streams)) {
            Ok(child) => job.push(child),
            Err(error) => {
                // Where the command's own errors would go. If nobody reads those, that is as well.
                let text = format!("shell: {error}\n");
                let _ = streams.write_error(text.as_bytes());
                job.push_failed(error.code());
            }
        }
    }
    job
}
