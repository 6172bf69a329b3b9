//! Merges the objects of a crate into one, with the toolchain's linker.

use crate::{
    error::{Error, Result},
    rlib::Member,
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Merges relocatable objects by the rules of a linker script.
pub(crate) struct Merger {
    /// The linker.
    pub linker: PathBuf,
    /// The linker script that says which sections become one.
    pub script: PathBuf,
}

impl Merger {
    /// Merges `objects` of `component` into the file `out`. The objects are laid out in `folder`.
    ///
    /// Debug information stays: the builder drops it from the object that is loaded, and the file
    /// is what a debugger reads.
    ///
    /// # Errors
    ///
    /// When a file cannot be written or the linker refuses the objects.
    pub(crate) fn merge(
        &self,
        component: &str,
        objects: &[Member<'_>],
        folder: &Path,
        out: &Path,
    ) -> Result<()> {
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let mut command = Command::new(&self.linker);
        command
            .args(["-flavor", "gnu", "-r", "--force-group-allocation", "-T"])
            .arg(&self.script)
            .arg("-o")
            .arg(out);
        for (number, object) in objects.iter().enumerate() {
            let path = folder.join(format!("{number}.o"));
            fs::write(&path, object.bytes).map_err(Error::io("write", &path))?;
            command.arg(path);
        }
        run(command, &format!("rust-lld -r for {component}"))?;
        fs::remove_dir_all(folder).map_err(Error::io("remove", folder))
    }
}

/// Runs a linker command.
pub(crate) fn run(mut command: Command, what: &str) -> Result<()> {
    let program = PathBuf::from(command.get_program());
    let output = command.output().map_err(Error::io("run", &program))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Program {
        program: what.to_owned(),
        message: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
