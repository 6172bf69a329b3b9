//! Copies of the repository, for tests that edit it.

use crate::failure::{Failure, Verdict, ensure};
use std::{
    fs,
    path::Path,
    process::Command,
    sync::{Mutex, PoisonError},
};

/// The folder of the copy. There is one, used by one test after the other, so that it is built once.
const FOLDER: &str = "build/copy";

/// Runs `body` with a copy of the repository that is its own meanwhile.
pub(crate) fn with<T>(body: impl FnOnce(&Path) -> Result<T, Failure>) -> Result<T, Failure> {
    static IN_USE: Mutex<()> = Mutex::new(());
    let _guard = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
    let copy = Path::new(FOLDER);
    renew(copy)?;
    body(copy)
}

/// Makes the copy what git knows or would add. What was built in it stays and need not be built anew.
fn renew(copy: &Path) -> Verdict {
    let list = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .output()
        .map_err(|error| Failure::Wrong(format!("running git: {error}")))?;
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    let wanted: Vec<&str> = list
        .split('\0')
        .filter(|path| Path::new(path).is_file())
        .collect();
    ensure(!wanted.is_empty(), || "git lists no files".into())?;
    remove_others(copy, Path::new(""), &wanted)?;
    for path in wanted {
        let (from, to) = (Path::new(path), copy.join(path));
        let contents =
            fs::read(from).map_err(|error| Failure::Wrong(format!("reading {path}: {error}")))?;
        // An unchanged file keeps its time, and so the build need not look at it again.
        if fs::read(&to).ok().as_deref() != Some(contents.as_slice()) {
            make_parent(&to)?;
            fs::copy(from, &to)
                .map_err(|error| Failure::Wrong(format!("copying {path}: {error}")))?;
        }
    }
    Ok(())
}

/// Removes what an earlier run left in the copy, but not what it built.
fn remove_others(copy: &Path, folder: &Path, wanted: &[&str]) -> Verdict {
    let Ok(entries) = fs::read_dir(copy.join(folder)) else {
        return Ok(());
    };
    for entry in entries.flatten() {
        let path = folder.join(entry.file_name());
        let built = path == Path::new("target") || path == Path::new("build");
        if built || wanted.iter().any(|wanted| Path::new(wanted) == path) {
            continue;
        }
        let full = copy.join(&path);
        let removed = if wanted
            .iter()
            .any(|wanted| Path::new(wanted).starts_with(&path))
        {
            remove_others(copy, &path, wanted)?;
            Ok(())
        } else if full.is_dir() {
            fs::remove_dir_all(&full)
        } else {
            fs::remove_file(&full)
        };
        removed.map_err(|error| Failure::Wrong(format!("removing {}: {error}", full.display())))?;
    }
    Ok(())
}

/// Reads a text file.
pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path)
        .map_err(|error| Failure::Wrong(format!("reading {}: {error}", path.display())))
}

/// Writes a text file, and its folder if need be.
pub(crate) fn write(path: &Path, contents: &str) -> Verdict {
    make_parent(path)?;
    fs::write(path, contents)
        .map_err(|error| Failure::Wrong(format!("writing {}: {error}", path.display())))
}

fn make_parent(path: &Path) -> Verdict {
    let Some(parent) = path.parent() else {
        return Ok(());
    };
    fs::create_dir_all(parent)
        .map_err(|error| Failure::Wrong(format!("making {}: {error}", parent.display())))
}
