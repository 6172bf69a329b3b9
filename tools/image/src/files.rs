//! Small file operations that name the file when they fail.

use crate::error::{Error, Result};
use std::{fs, path::Path};

/// Reads a file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(Error::io("read", path))
}

/// Creates a folder and those above it.
pub(crate) fn create_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(Error::io("create", path))
}

/// Writes a file unless it has these bytes already; says whether it was written.
///
/// The bytes go to a file beside it first, so that nobody sees half of them.
pub(crate) fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<bool> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(false);
    }
    let new = path.with_extension("new");
    fs::write(&new, bytes).map_err(Error::io("write", &new))?;
    fs::rename(&new, path).map_err(Error::io("write", path))?;
    Ok(true)
}

/// Makes `to` a second name of `from`.
pub(crate) fn link(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        fs::remove_file(to).map_err(Error::io("replace", to))?;
    }
    fs::hard_link(from, to)
        .or_else(|_| fs::copy(from, to).map(drop))
        .map_err(Error::io("write", to))
}
