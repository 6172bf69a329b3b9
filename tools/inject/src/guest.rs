//! The system under test: its console and the debugger's end of it.

use crate::{clock::GuestClock, error::InjectError, gdb::Gdb};
use runner::{
    Boot, Machine, RunnerError,
    console::{Console, new_folder},
    machine::{Artifacts, Ports},
};
use serde_json::Value;
use std::{
    fs,
    io::Write,
    path::PathBuf,
    process::{Child, ChildStdin, Stdio},
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

/// How often a document is asked for: a line of the log about the fault before may come in between.
const READINGS: u32 = 3;

/// The prompt, at the start of a line.
const PROMPT: &str = "\nstrake> ";

/// An instruction takes 8 ns of guest time: a CPU as slow as that of 1990, so that the second in which a
/// system has to recover is 125 million instructions, which the host executes in a few seconds.
const INSTRUCTION_SHIFT: u32 = 3;

/// How long a boot may take: many times what it takes on a busy machine.
const BOOT_LIMIT: Duration = Duration::from_secs(120);

/// How long the host waits before it looks at the guest's clock.
const GLANCE: Duration = Duration::from_millis(300);

/// How long a command may take in a system that is well.
const COMMAND_LIMIT: Duration = Duration::from_secs(60);

/// A running system.
pub(crate) struct Guest {
    child: Child,
    input: ChildStdin,
    console: Arc<Console>,
    pub(crate) gdb: Gdb,
    pub(crate) clock: GuestClock,
    folder: PathBuf,
    position: usize,
}

/// What a wait for a text on the console ended with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// The text came; this was printed before it.
    Text(String),
    /// It did not come in time; this was printed instead.
    Nothing(String),
    /// The machine has ended; this was printed before.
    End(String),
}

impl Guest {
    /// Boots a system to its prompt; guest time is the number of executed instructions.
    pub(crate) fn boot(artifacts: &Artifacts) -> Result<Self, InjectError> {
        let folder = new_folder("inject")?;
        let socket = folder.join("gdb.socket");
        let machine = Machine {
            artifacts: artifacts.clone(),
            boot: Boot::Direct,
            instruction_count: true,
            instruction_shift: INSTRUCTION_SHIFT,
            ports: Ports::Console,
            debugger: Some(socket.clone()),
            ..Machine::default()
        };
        let monitor = folder.join("monitor.socket");
        let mut child = machine
            .qemu()?
            .arg("-qmp")
            .arg(format!("unix:{},server=on,wait=off", monitor.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|source| RunnerError::Start {
                program: "QEMU".into(),
                source,
            })?;
        let (Some(input), Some(mut output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(InjectError::Unexpected("a child without pipes".into()));
        };
        let console = Arc::new(Console::default());
        let shared = Arc::clone(&console);
        // It ends with QEMU's output.
        drop(std::thread::spawn(move || shared.follow(&mut output)));
        let connections = Gdb::connect(&socket)
            .and_then(|gdb| GuestClock::connect(&monitor).map(|clock| (gdb, clock)));
        let (mut gdb, clock) = match connections {
            Ok(connections) => connections,
            Err(error) => {
                // It may have ended by itself.
                drop(child.kill());
                drop(child.wait());
                return Err(error);
            }
        };
        gdb.go_on()?;
        let mut guest = Self {
            child,
            input,
            console,
            gdb,
            clock,
            folder,
            position: 0,
        };
        match guest.listen(PROMPT, BOOT_LIMIT) {
            Heard::Text(_) => Ok(guest),
            Heard::Nothing(text) | Heard::End(text) => Err(InjectError::Unexpected(format!(
                "no prompt after the boot, but {text:?}"
            ))),
        }
    }

    /// Types `text`.
    pub(crate) fn send(&mut self, text: &str) -> Result<(), InjectError> {
        let sent = self
            .input
            .write_all(text.as_bytes())
            .and_then(|()| self.input.flush());
        sent.map_err(|_| InjectError::Gone)
    }

    /// Waits for `wanted` behind the current position, and goes behind it.
    pub(crate) fn listen(&mut self, wanted: &str, limit: Duration) -> Heard {
        let end = Instant::now() + limit;
        let mut printed = self.console.lock();
        loop {
            let rest = printed.text.get(self.position..).unwrap_or_default();
            let found = rest
                .windows(wanted.len())
                .position(|window| window == wanted.as_bytes());
            if let Some(at) = found {
                let before = text_of(rest.get(..at).unwrap_or_default());
                self.position += at + wanted.len();
                return Heard::Text(before);
            }
            let left = end.saturating_duration_since(Instant::now());
            if printed.ended || left.is_zero() {
                let text = text_of(rest);
                return if printed.ended {
                    Heard::End(text)
                } else {
                    Heard::Nothing(text)
                };
            }
            let waited = self.console.changed.wait_timeout(printed, left);
            printed = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for the next prompt.
    pub(crate) fn prompt(&mut self, limit: Duration) -> Heard {
        self.listen(PROMPT, limit)
    }

    /// Waits for the next prompt as long as the guest's clock advances by less than two seconds, so
    /// that more than one of them was there.
    pub(crate) fn prompt_within_a_second(&mut self) -> Result<Heard, InjectError> {
        let begin = self.clock.seconds()?;
        let end = Instant::now() + COMMAND_LIMIT;
        loop {
            let heard = self.prompt(GLANCE);
            if !matches!(heard, Heard::Nothing(_)) || Instant::now() >= end {
                return Ok(heard);
            }
            let now = match self.clock.seconds() {
                Ok(now) => now,
                // It has ended meanwhile.
                Err(InjectError::Gone) => return Ok(self.prompt(GLANCE)),
                Err(error) => return Err(error),
            };
            if now.saturating_sub(begin) >= 2 {
                return Ok(self.prompt(GLANCE));
            }
        }
    }

    /// Types a command and Enter, and waits for the line's echo.
    pub(crate) fn type_command(&mut self, command: &str) -> Result<(), InjectError> {
        self.send(command)?;
        self.send("\r")
    }

    /// Runs a command and gives back what it prints.
    pub(crate) fn run(&mut self, command: &str) -> Result<String, InjectError> {
        self.type_command(command)?;
        match self.prompt(COMMAND_LIMIT) {
            Heard::Text(text) => Ok(text),
            Heard::Nothing(text) | Heard::End(text) => Err(InjectError::Unexpected(format!(
                "{command}: no prompt, but {text:?}"
            ))),
        }
    }

    /// Runs a command and reads the JSON document that it prints.
    pub(crate) fn json(&mut self, command: &str) -> Result<Value, InjectError> {
        let document = |output: &str| {
            output
                .lines()
                .filter(|line| line.starts_with(['{', '[']))
                .find_map(|line| serde_json::from_str(line).ok())
        };
        let mut output = String::new();
        for _ in 0..READINGS {
            output = self.run(command)?;
            if let Some(document) = document(&output) {
                return Ok(document);
            }
        }
        let cause = format!("{command}: no JSON in {output:?}");
        Err(InjectError::Unexpected(cause))
    }

    /// What was printed behind the current position.
    pub(crate) fn rest(&self) -> String {
        let printed = self.console.lock();
        text_of(printed.text.get(self.position..).unwrap_or_default())
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // Each of these fails only when there is nothing left to clean up.
        drop(self.child.kill());
        drop(self.child.wait());
        drop(fs::remove_dir_all(&self.folder));
    }
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
