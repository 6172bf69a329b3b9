//! A machine that runs to its end.

use runner::{RunnerError, accelerator::wait_at_most};
use std::{
    io::Read,
    process::{Command, Stdio},
    time::Duration,
};

/// How long a guest may run: many times what it takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(280);

/// What the guest that `qemu` starts printed on its console until it ended, or was ended.
pub(crate) fn printed(mut qemu: Command) -> Result<String, RunnerError> {
    let mut child = qemu
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|source| RunnerError::Start {
            program: "QEMU".into(),
            source,
        })?;
    let output = child.stdout.take();
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        // What was read before an error is what there is.
        let _ = output.map(|mut output| output.read_to_end(&mut text));
        text
    });
    wait_at_most(&mut child, LIMIT).map_err(RunnerError::io("waiting for QEMU"))?;
    let text = reader.join().unwrap_or_default();
    Ok(String::from_utf8_lossy(&text).into_owned())
}
