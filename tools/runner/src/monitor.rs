//! QEMU's monitor, of which one thing is wanted: why the machine stopped. Its exit status does not
//! tell a triple fault from `poweroff`.

use crate::{error::RunnerError, outcome::Reason};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
    process::Command,
    thread::JoinHandle,
};

/// A listening socket to which QEMU connects its monitor.
pub struct Monitor {
    path: PathBuf,
    listener: UnixListener,
}

impl Monitor {
    /// Listens at `path`. The path counts from the current folder, because a socket's name has room
    /// for 108 bytes only.
    ///
    /// # Errors
    ///
    /// When the socket cannot be made.
    pub fn listen(path: &Path) -> Result<Self, RunnerError> {
        let what = || format!("making the socket {}", path.display());
        if path.exists() {
            fs::remove_file(path).map_err(RunnerError::io(what()))?;
        }
        let listener = UnixListener::bind(path).map_err(RunnerError::io(what()))?;
        Ok(Self {
            path: path.to_owned(),
            listener,
        })
    }

    /// Makes `qemu` connect here.
    pub fn add(&self, qemu: &mut Command) {
        qemu.arg("-qmp")
            .arg(format!("unix:{}", self.path.display()));
    }

    /// Follows the monitor until QEMU ends; the thread's result is the last reason given. To be
    /// called when QEMU runs.
    #[must_use]
    pub fn follow(self) -> Follower {
        let path = self.path.clone();
        let thread = std::thread::spawn(move || self.read_events().ok().flatten());
        Follower { path, thread }
    }

    fn read_events(self) -> std::io::Result<Option<Reason>> {
        let (mut stream, _) = self.listener.accept()?;
        stream.write_all(b"{\"execute\":\"qmp_capabilities\"}\n")?;
        let mut reason = None;
        for line in BufReader::new(stream).lines() {
            let Ok(line) = line else { break };
            reason = shutdown_reason(&line).or(reason);
        }
        Ok(reason)
    }
}

/// A thread that follows a monitor.
pub struct Follower {
    path: PathBuf,
    thread: JoinHandle<Option<Reason>>,
}

impl Follower {
    /// The last reason that QEMU gave. To be called when QEMU has ended.
    #[must_use]
    pub fn reason(self) -> Option<Reason> {
        // A QEMU that failed before it connected leaves the thread waiting for a connection.
        drop(std::os::unix::net::UnixStream::connect(&self.path));
        let reason = self.thread.join().ok().flatten();
        // Nothing depends on the socket's file being gone.
        drop(fs::remove_file(&self.path));
        reason
    }
}

fn shutdown_reason(line: &str) -> Option<Reason> {
    let message: serde_json::Value = serde_json::from_str(line).ok()?;
    if message.get("event")?.as_str()? != "SHUTDOWN" {
        return None;
    }
    Some(match message.get("data")?.get("reason")?.as_str()? {
        "guest-reset" => Reason::Reset,
        "guest-shutdown" => Reason::PowerOff,
        _ => Reason::Host,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_reason() {
        let event = r#"{"timestamp": {}, "event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-reset"}}"#;
        assert_eq!(shutdown_reason(event), Some(Reason::Reset));
        assert_eq!(shutdown_reason(r#"{"event": "STOP"}"#), None);
        assert_eq!(shutdown_reason("rubbish"), None);
    }
}
