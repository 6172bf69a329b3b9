//! `make run`: the terminal is the console.

use crate::{
    error::RunnerError,
    machine::{BUILD, Machine, Ports},
    monitor::Monitor,
    outcome::Outcome,
    plain::{Boot, Plain},
    settings::Settings,
    terminal::{KeyFilter, RawTerminal, Request},
};
use std::{
    fs::{self, File},
    io::{IsTerminal, Read, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Stdio},
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// What the system prints when it waits for a command.
pub const PROMPT: &[u8] = b"strake> ";

/// How long a system that does not reach its prompt is kept from its input.
const INPUT_HELD: Duration = Duration::from_secs(60);

/// Where the sockets of the system in this workspace are.
#[derive(Clone, Debug)]
pub struct Sockets {
    /// The second serial port.
    pub push: PathBuf,
    /// QEMU's gdb server.
    pub debugger: PathBuf,
    /// Locked while a system runs.
    lock: PathBuf,
}

impl Sockets {
    /// The sockets in `folder`.
    #[must_use]
    pub fn inside(folder: &Path) -> Self {
        Self {
            push: folder.join("push.socket"),
            debugger: folder.join("debug.socket"),
            lock: folder.join("running.lock"),
        }
    }

    /// Whether a system runs on the sockets.
    ///
    /// # Errors
    ///
    /// When that cannot be found out.
    pub fn are_taken(&self) -> Result<bool, RunnerError> {
        Ok(self.lock.exists() && self.take()?.is_none())
    }

    /// Takes the sockets for this run; `None` when another system runs on them.
    fn take(&self) -> Result<Option<File>, RunnerError> {
        let what = || format!("locking {}", self.lock.display());
        let file = File::create(&self.lock).map_err(RunnerError::io(what()))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(RunnerError::io(what())(error)),
        }
    }
}

/// Runs a system as `settings` says, with the terminal as its console.
///
/// # Errors
///
/// When it cannot be started or the terminal fails.
pub fn run(settings: &Settings) -> Result<Outcome, RunnerError> {
    let folder = Path::new(BUILD);
    fs::create_dir_all(folder).map_err(RunnerError::io("making the folder build"))?;
    let sockets = Sockets::inside(folder);
    let lock = sockets.take()?;
    let scratch = Scratch::new(folder)?;
    let mut machine = Machine {
        boot: settings.boot,
        memory_mib: settings.memory_mib,
        processors: settings.processors,
        accelerator: settings.accelerator(&scratch.path)?,
        instruction_count: settings.instruction_count,
        survives_reset: settings.command.is_none(),
        ..Machine::default()
    };
    if lock.is_some() {
        machine.ports = Ports::Both(sockets.push.clone());
        machine.debugger = Some(sockets.debugger.clone());
    } else {
        eprintln!("strake: another system runs here and has `make push` and `make debug`");
    }
    if let Some(command) = &settings.command {
        let path = scratch.path.join("command");
        fs::write(&path, command).map_err(RunnerError::io("writing the command's file"))?;
        machine.command = Some(path);
    }
    let limit = settings.command.as_ref().map(|_| settings.limit);
    run_machine(&machine, &scratch.path, limit)
}

/// A folder for one run's files, removed when dropped.
struct Scratch {
    path: PathBuf,
}

impl Scratch {
    fn new(folder: &Path) -> Result<Self, RunnerError> {
        let path = folder.join(format!("run-{}", std::process::id()));
        fs::create_dir_all(&path).map_err(RunnerError::io(format!(
            "making the folder {}",
            path.display()
        )))?;
        Ok(Self { path })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays does no harm.
        drop(fs::remove_dir_all(&self.path));
    }
}

fn run_machine(
    machine: &Machine,
    scratch: &Path,
    limit: Option<Duration>,
) -> Result<Outcome, RunnerError> {
    let monitor = Monitor::listen(&scratch.join("monitor.socket"))?;
    let mut qemu = machine.qemu()?;
    monitor.add(&mut qemu);
    let mut child = qemu
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|source| RunnerError::Start {
            program: "QEMU".into(),
            source,
        })?;
    let follower = monitor.follow();
    let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(RunnerError::io("opening QEMU's pipes")(
            std::io::ErrorKind::BrokenPipe.into(),
        ));
    };
    let interactive = limit.is_none();
    let terminal = if interactive {
        RawTerminal::enter()?
    } else {
        None
    };
    let child = Arc::new(Mutex::new(child));
    let gate = Arc::new(Gate::default());
    if interactive {
        spawn_input(
            input,
            terminal.is_some(),
            Arc::clone(&gate),
            Arc::clone(&child),
        );
    }
    let watchdog = limit.map(|limit| Watchdog::start(limit, Arc::clone(&child)));
    let printed = copy_output(output, &gate, !interactive);
    let timed_out = watchdog.is_some_and(Watchdog::stop);
    let status = lock(&child)
        .wait()
        .map_err(RunnerError::io("waiting for QEMU"))?;
    let reason = follower.reason();
    drop(terminal);
    let printed = printed?;
    if timed_out {
        return Ok(Outcome::TimedOut);
    }
    if gate.has_left() {
        return Ok(Outcome::PoweredOff);
    }
    Ok(Outcome::new(status, reason, printed))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Copies what the system prints until QEMU ends; whether there was anything. A terminal gets it as
/// it is, a file or a pipe as plain text, and of a run of commands only what they print: the boot
/// goes to standard error.
fn copy_output(mut output: ChildStdout, gate: &Gate, commands: bool) -> Result<bool, RunnerError> {
    let mut to = std::io::stdout();
    let terminal = to.is_terminal();
    let (mut plain, mut boot) = (Plain::default(), Boot::new(!commands));
    let mut printed = false;
    let mut tail = Vec::new();
    let mut buffer = [0; 4096];
    let mut text = Vec::new();
    loop {
        let length = output
            .read(&mut buffer)
            .map_err(RunnerError::io("reading the console"))?;
        let bytes = buffer.get(..length).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(printed);
        }
        printed = true;
        if !gate.is_open() {
            tail.extend_from_slice(bytes);
            if tail.windows(PROMPT.len()).any(|window| window == PROMPT) {
                gate.open();
            }
            tail.drain(..tail.len().saturating_sub(PROMPT.len()));
        }
        let written = if terminal {
            to.write_all(bytes)
        } else {
            text.clear();
            plain.read(bytes, &mut text);
            let (before, after) = text.split_at(boot.read(&text));
            std::io::stderr()
                .write_all(before)
                .and_then(|()| to.write_all(after))
        };
        written
            .and_then(|()| to.flush())
            .map_err(RunnerError::io("writing standard output"))?;
    }
}

/// Holds the input back until the system asks for it: what is typed before that would be read by
/// the firmware or the boot loader, or lost when the port is set up.
#[derive(Default)]
struct Gate {
    state: Mutex<GateState>,
    changed: Condvar,
}

#[derive(Default)]
struct GateState {
    open: bool,
    left: bool,
}

impl Gate {
    fn open(&self) {
        lock(&self.state).open = true;
        self.changed.notify_all();
    }

    fn is_open(&self) -> bool {
        lock(&self.state).open
    }

    /// Waits until the gate is open, or has been closed for long enough.
    fn pass(&self) {
        let state = lock(&self.state);
        drop(
            self.changed
                .wait_timeout_while(state, INPUT_HELD, |state| !state.open),
        );
    }

    fn leave(&self) {
        lock(&self.state).left = true;
    }

    fn has_left(&self) -> bool {
        lock(&self.state).left
    }
}

/// Copies standard input to the system. The end of the input does not end the system.
fn spawn_input(mut to: ChildStdin, terminal: bool, gate: Arc<Gate>, child: Arc<Mutex<Child>>) {
    std::thread::spawn(move || {
        let mut from = std::io::stdin().lock();
        let mut filter = KeyFilter::default();
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let bytes = buffer.get(..length).unwrap_or_default();
            let typed = if terminal {
                let keys = filter.read(bytes);
                match keys.request {
                    Some(Request::Leave) => {
                        gate.leave();
                        // It may have ended by itself just now.
                        drop(lock(&child).kill());
                        return;
                    }
                    Some(Request::Help) => {
                        eprint!("\r\nCtrl-A X ends the machine, Ctrl-A Ctrl-A sends Ctrl-A.\r\n");
                    }
                    None => {}
                }
                keys.bytes
            } else {
                bytes.to_vec()
            };
            if !terminal {
                gate.pass();
            }
            if to.write_all(&typed).and_then(|()| to.flush()).is_err() {
                return;
            }
        }
        // Dropping the pipe would close the console's input, which QEMU takes well; keep it open
        // all the same, so that the system sees silence and not a broken line.
        if !terminal {
            std::mem::forget(to);
        }
    });
}

/// Ends the machine when its time is over.
struct Watchdog {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: std::thread::JoinHandle<bool>,
}

impl Watchdog {
    fn start(limit: Duration, child: Arc<Mutex<Child>>) -> Self {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let waits_for = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let end = Instant::now() + limit;
            let (stopped, changed) = &*waits_for;
            let mut guard = lock(stopped);
            while !*guard {
                let left = end.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    drop(lock(&child).kill());
                    return true;
                }
                guard = changed
                    .wait_timeout(guard, left)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
            }
            false
        });
        Self { stop, thread }
    }

    /// Stops watching; whether the machine was ended.
    fn stop(self) -> bool {
        *lock(&self.stop.0) = true;
        self.stop.1.notify_all();
        self.thread.join().unwrap_or(false)
    }
}
