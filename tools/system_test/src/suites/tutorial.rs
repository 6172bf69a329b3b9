//! The book's tutorials, run as a reader would: every block, in order, in a copy of the repository.

use crate::{
    book::{self, Step},
    copy,
    failure::{Failure, Verdict, contains, ensure, equal},
    guest::{Guest, PROMPT},
    plan::{Options, Suite, Tests},
};
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

pub(crate) const SUITE: Suite = Suite {
    name: "tutorial",
    tests: Tests::Own(&[("every_block_runs_and_an_altered_one_fails", tutorials)]),
};

/// How long a build and a boot may take on a busy machine.
const BUILD_LIMIT: Duration = Duration::from_secs(900);
/// How long the machine may take to end.
const END_LIMIT: Duration = Duration::from_secs(60);

fn tutorials(_: &Options) -> Verdict {
    follow(&copy::read(Path::new("book/src/tutorial-component.md"))?)?;
    let tutorial = copy::read(Path::new("book/src/tutorial-application.md"))?;
    altered_block(&tutorial)?;
    follow(&tutorial)
}

fn follow(markdown: &str) -> Verdict {
    copy::with(|copy| {
        let reader = Reader {
            copy: copy.to_owned(),
            terminal: None,
        };
        reader.follow(markdown)
    })
}

/// The tests of the tutorials are worth something only if a changed tutorial fails.
fn altered_block(markdown: &str) -> Verdict {
    let mut altered = false;
    let text: String = markdown
        .lines()
        .map(|line| {
            let hit = line.contains(".rev()") && !altered;
            altered |= hit;
            let line = if hit {
                line.replace(".rev()", "")
            } else {
                line.into()
            };
            format!("{line}\n")
        })
        .collect();
    ensure(altered, || "the tutorial has no line to alter".into())?;
    let verdict = follow(&text);
    ensure(verdict.is_err(), || "an altered tutorial passed".into())
}

/// Someone who follows a tutorial.
struct Reader {
    /// Their copy of the repository.
    copy: PathBuf,
    /// The terminal in which they run the system.
    terminal: Option<Guest>,
}

impl Reader {
    fn follow(mut self, markdown: &str) -> Verdict {
        let steps = book::steps(markdown).map_err(Failure::Wrong)?;
        ensure(!steps.is_empty(), || "a tutorial without a step".into())?;
        steps.iter().try_for_each(|step| self.take(step))
    }

    fn take(&mut self, step: &Step) -> Verdict {
        match step {
            Step::File { path, contents } => copy::write(&self.copy.join(path), contents),
            Step::Shell { script, expected } => self.shell(script, expected),
            Step::Terminal(command) => {
                let mut shell = self.command(&format!("exec 2>&1\n{command}"));
                shell.stdin(Stdio::piped());
                let mut guest = Guest::in_terminal(shell)?;
                guest.expect_within(PROMPT, BUILD_LIMIT)?;
                self.terminal = Some(guest);
                Ok(())
            }
            Step::Type { command, expected } => self.type_line(command, expected),
        }
    }

    fn command(&self, script: &str) -> Command {
        let mut shell = Command::new("bash");
        // What the test was asked for is not for the make inside it.
        for name in [
            "CMD",
            "FILTER",
            "MAKEFLAGS",
            "MAKELEVEL",
            "MFLAGS",
            "BOOT",
            "C",
        ] {
            shell.env_remove(name);
        }
        shell.args(["-euc", script]).current_dir(&self.copy);
        shell
    }

    fn shell(&self, script: &str, expected: &[String]) -> Verdict {
        let output = self.command(script).stdin(Stdio::null()).output();
        let output = output.map_err(|error| Failure::Wrong(format!("running bash: {error}")))?;
        let text = String::from_utf8_lossy(&output.stdout).replace('\r', "");
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure(output.status.success(), || {
            format!("{script}{}:\n{text}{errors}", output.status)
        })?;
        let mut rest = text.as_str();
        for line in expected {
            contains(rest, line)?;
            rest = rest.split_once(line.as_str()).map_or("", |(_, rest)| rest);
        }
        Ok(())
    }

    fn type_line(&mut self, command: &str, expected: &str) -> Verdict {
        let Some(guest) = &mut self.terminal else {
            return Err(Failure::Wrong("a session without a terminal".into()));
        };
        if command == "poweroff" {
            guest.send(b"poweroff\r")?;
            let ended = guest.ended_well(END_LIMIT)?;
            self.terminal = None;
            return ensure(ended, || "`make run` did not end with success".into());
        }
        equal(guest.run(command)?.trim_end(), expected.trim_end())
    }
}
