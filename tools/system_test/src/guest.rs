//! A running system and its console.

use crate::failure::{Failure, Verdict};
use runner::{
    Machine, Outcome, RunnerError,
    accelerator::wait_at_most,
    console::{Console, new_folder},
    machine::Ports,
    monitor::{Follower, Monitor},
};
use serde_json::Value;
use std::{
    fs,
    io::Write,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

/// The prompt, at the start of a line.
pub(crate) const PROMPT: &str = "\nstrake> ";

/// How long a boot may take: many times what it takes on a busy machine.
const BOOT_LIMIT: Duration = Duration::from_secs(120);
/// How long a command may take.
pub(crate) const COMMAND_LIMIT: Duration = Duration::from_secs(60);
/// How much of the end of the transcript a failure shows.
const TAIL: usize = 3000;

/// A running system.
pub(crate) struct Guest {
    child: Child,
    input: ChildStdin,
    console: Arc<Console>,
    reader: Option<std::thread::JoinHandle<()>>,
    follower: Option<Follower>,
    folder: PathBuf,
    /// Where in the text the test has got to.
    position: usize,
    /// Whether the child leads a process group of its own.
    leads_group: bool,
}

impl Guest {
    /// Starts `machine`; with `second_port` its second serial port is a socket in [`Guest::folder`].
    pub(crate) fn start(mut machine: Machine, second_port: bool) -> Result<Self, Failure> {
        let folder = new_folder("test")?;
        if second_port && machine.ports == Ports::Console {
            machine.ports = Ports::Both(folder.join("push.socket"));
        }
        let monitor = Monitor::listen(&folder.join("monitor.socket"))?;
        let mut qemu = machine.qemu()?;
        monitor.add(&mut qemu);
        let child = qemu
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|source| RunnerError::Start {
                program: "QEMU".into(),
                source,
            })?;
        let follower = Some(monitor.follow());
        Self::new(child, follower, folder)
    }

    /// Runs `command`, which runs a machine, as a terminal would: with its console on pipes, and
    /// with everything that it started ended at the end.
    pub(crate) fn in_terminal(mut command: Command) -> Result<Self, Failure> {
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|source| RunnerError::Start {
                program: "the terminal's shell".into(),
                source,
            })?;
        let mut guest = Self::new(child, None, new_folder("test")?)?;
        guest.leads_group = true;
        Ok(guest)
    }

    fn new(mut child: Child, follower: Option<Follower>, folder: PathBuf) -> Result<Self, Failure> {
        let (Some(input), Some(mut output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Failure::Wrong("a child without pipes".into()));
        };
        let console = Arc::new(Console::default());
        let shared = Arc::clone(&console);
        let reader = Some(std::thread::spawn(move || shared.follow(&mut output)));
        Ok(Self {
            child,
            input,
            console,
            reader,
            follower,
            folder,
            position: 0,
            leads_group: false,
        })
    }

    /// Starts `machine` and waits for the prompt.
    pub(crate) fn boot(machine: Machine) -> Result<Self, Failure> {
        let mut guest = Self::start(machine, true)?;
        guest.expect_within(PROMPT, BOOT_LIMIT)?;
        Ok(guest)
    }

    /// The socket of the second serial port.
    pub(crate) fn second_port(&self) -> PathBuf {
        self.folder.join("push.socket")
    }

    /// Types `bytes`.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Verdict {
        let sent = self
            .input
            .write_all(bytes)
            .and_then(|()| self.input.flush());
        sent.map_err(|source| {
            RunnerError::Io {
                what: "writing to the console".into(),
                source,
            }
            .into()
        })
    }

    /// Waits for `wanted` after the current position, goes behind it, and returns what was before.
    pub(crate) fn expect(&mut self, wanted: &str) -> Result<String, Failure> {
        self.expect_within(wanted, COMMAND_LIMIT)
    }

    /// As [`Guest::expect`], with another limit.
    pub(crate) fn expect_within(
        &mut self,
        wanted: &str,
        limit: Duration,
    ) -> Result<String, Failure> {
        let end = Instant::now() + limit;
        let mut printed = self.console.lock();
        loop {
            let rest = printed.text.get(self.position..).unwrap_or_default();
            let found = rest
                .windows(wanted.len())
                .position(|window| window == wanted.as_bytes());
            if let Some(at) = found {
                let before =
                    String::from_utf8_lossy(rest.get(..at).unwrap_or_default()).into_owned();
                self.position += at + wanted.len();
                return Ok(before);
            }
            let left = end.saturating_duration_since(Instant::now());
            if printed.ended {
                drop(printed);
                return Err(Failure::Ended(self.outcome(Duration::from_secs(5))?));
            }
            if left.is_zero() {
                return Err(Failure::Late {
                    wanted: wanted.into(),
                    limit,
                });
            }
            let waited = self.console.changed.wait_timeout(printed, left);
            printed = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Types a command and Enter and returns what it prints.
    pub(crate) fn run(&mut self, command: &str) -> Result<String, Failure> {
        self.run_within(command, COMMAND_LIMIT)
    }

    /// As [`Guest::run`], with another limit.
    pub(crate) fn run_within(&mut self, command: &str, limit: Duration) -> Result<String, Failure> {
        self.send(command.as_bytes())?;
        self.send(b"\r")?;
        // The echo of Enter ends the line that was typed; the prompt needs the newline before it.
        self.expect_within("\n", limit)?;
        self.position -= 1;
        let output = self.expect_within(PROMPT, limit)?;
        Ok(output.strip_prefix('\n').unwrap_or(&output).to_owned())
    }

    /// Runs a command and reads the JSON document that it prints.
    pub(crate) fn json(&mut self, command: &str) -> Result<Value, Failure> {
        let output = self.run(command)?;
        let line = output.lines().find(|line| line.starts_with(['{', '[']));
        let line =
            line.ok_or_else(|| Failure::Wrong(format!("{command}: no JSON in {output:?}")))?;
        serde_json::from_str(line)
            .map_err(|error| Failure::Wrong(format!("{command}: {error} in {line:?}")))
    }

    /// Whether a command succeeds, and what it prints.
    pub(crate) fn succeeds(&mut self, command: &str) -> Result<(bool, String), Failure> {
        let output = self.run(&format!("{command} && echo :yes: || echo :no:"))?;
        // Behind it the shell may tell of a job in the background that has ended.
        let mut lines = output.lines().rev();
        let verdict = lines.find(|line| [":yes:", ":no:"].contains(line));
        let body = output.replace(":yes:", "").replace(":no:", "");
        match verdict {
            Some(":yes:") => Ok((true, body)),
            Some(_) => Ok((false, body)),
            None => Err(Failure::Wrong(format!(
                "{command}: no verdict in {output:?}"
            ))),
        }
    }

    /// Everything printed so far.
    pub(crate) fn transcript(&self) -> String {
        String::from_utf8_lossy(&self.console.lock().text).into_owned()
    }

    /// The end of the transcript.
    pub(crate) fn tail(&self) -> String {
        let printed = self.console.lock();
        let begin = printed.text.len().saturating_sub(TAIL);
        String::from_utf8_lossy(printed.text.get(begin..).unwrap_or_default()).into_owned()
    }

    /// Waits for the machine's end.
    pub(crate) fn outcome(&mut self, limit: Duration) -> Result<Outcome, Failure> {
        let status =
            wait_at_most(&mut self.child, limit).map_err(RunnerError::io("waiting for QEMU"))?;
        if let Some(reader) = self.reader.take() {
            // It ends with QEMU's output.
            drop(reader.join());
        }
        let reason = self.follower.take().and_then(Follower::reason);
        let printed = !self.console.lock().text.is_empty();
        Ok(status.map_or(Outcome::TimedOut, |status| {
            Outcome::new(status, reason, printed)
        }))
    }
}

impl Guest {
    /// Waits for the end of the child and says whether it was a success.
    pub(crate) fn ended_well(&mut self, limit: Duration) -> Result<bool, Failure> {
        let status =
            wait_at_most(&mut self.child, limit).map_err(RunnerError::io("waiting for the end"))?;
        Ok(status.is_some_and(|status| status.success()))
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if self.leads_group {
            // A shell that is killed leaves its children; they are in its group.
            let group = format!("-{}", self.child.id());
            drop(
                Command::new("kill")
                    .args(["-KILL", "--", &group])
                    .stderr(Stdio::null())
                    .status(),
            );
        }
        // Each of these fails only when there is nothing left to clean up.
        drop(self.child.kill());
        drop(self.child.wait());
        if let Some(follower) = self.follower.take() {
            let _ = follower.reason();
        }
        drop(fs::remove_dir_all(&self.folder));
    }
}
