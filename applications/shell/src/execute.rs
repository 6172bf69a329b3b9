//! Running what a line says.

use crate::{built_in, job::Job};
use alloc::{string::String, sync::Arc, vec::Vec};
use application::{ExitCode, eprintln, pipe, redirect, run};
use command_line::syntax::{self, Command, Step};

/// What a shell remembers from line to line.
#[derive(Default)]
pub(crate) struct Shell {
    status: ExitCode,
    /// Jobs in the background, oldest first.
    pub(crate) jobs: Vec<Job>,
    /// Whom it serves.
    pub(crate) role: Role,
    /// Whether `exit` was called.
    over: bool,
}

/// Whom a shell serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Role {
    /// It is itself a command that somebody waits for: Ctrl-C ends it with its job.
    #[default]
    Script,
    /// A person, who started it from another shell and can leave it.
    Person,
    /// The console: it is the system's session and has nowhere to go back to.
    Session,
}

impl Shell {
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
        let commands: Vec<Vec<String>> = step
            .pipeline
            .iter()
            .map(|command| self.expand(command))
            .collect();
        if let [words] = commands.as_slice()
            && let Some(status) = built_in::run(self, words)
        {
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

    fn expand(&self, command: &Command) -> Vec<String> {
        command
            .words
            .iter()
            .map(|word| word.expand(self.status().0))
            .collect()
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

/// Starts the commands of a pipeline. One that cannot be started is reported, and stands in the job
/// with its status.
fn start(commands: &[Vec<String>], background: bool) -> Job {
    let below = task::streams();
    let mut job = Job::new(commands);
    // A job in the background does not read what is typed to the shell.
    let mut input = background.then(|| pipe().1);
    for (index, words) in commands.iter().enumerate() {
        let (output, next) = if index + 1 < commands.len() {
            let (writer, reader) = pipe();
            (Some(writer), Some(reader))
        } else {
            (None, None)
        };
        let streams = redirect(input.take(), output, Arc::clone(&below));
        input = next;
        match run(words, streams) {
            Ok(child) => job.push(child),
            Err(error) => {
                eprintln!("shell: {error}");
                job.push_failed(error.code());
            }
        }
    }
    job
}
