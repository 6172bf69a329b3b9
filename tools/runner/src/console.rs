//! What a machine has printed, for programs that wait for it.

use crate::{RunnerError, machine::BUILD, plain::Plain};
use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

/// The console of a machine: one thread reads it ([`Console::follow`]), others wait for it to change.
#[derive(Default)]
pub struct Console {
    printed: Mutex<Printed>,
    /// More has been printed, or the machine has ended.
    pub changed: Condvar,
}

/// What has been printed so far.
#[derive(Default)]
pub struct Printed {
    /// The text, without what only moves a terminal's cursor.
    pub text: Vec<u8>,
    /// Whether nothing more will come.
    pub ended: bool,
}

impl Console {
    /// What has been printed.
    pub fn lock(&self) -> MutexGuard<'_, Printed> {
        self.printed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads `output` to its end.
    pub fn follow(&self, output: &mut impl Read) {
        let mut plain = Plain::default();
        let mut buffer = [0; 4096];
        loop {
            let length = output.read(&mut buffer).unwrap_or(0);
            let mut printed = self.lock();
            if length == 0 {
                printed.ended = true;
                self.changed.notify_all();
                return;
            }
            plain.read(buffer.get(..length).unwrap_or_default(), &mut printed.text);
            self.changed.notify_all();
        }
    }
}

/// Makes a folder of its own for a machine, with a short name that begins with `prefix`, because a
/// socket's path has room for 108 bytes.
///
/// # Errors
///
/// When it cannot be made.
pub fn new_folder(prefix: &str) -> Result<PathBuf, RunnerError> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("{prefix}-{}-{number}", std::process::id());
    let path = Path::new(BUILD).join(name);
    fs::create_dir_all(&path).map_err(RunnerError::io(format!("making {}", path.display())))?;
    Ok(path)
}
