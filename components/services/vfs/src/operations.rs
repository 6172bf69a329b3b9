//! What is done with names.

use crate::{
    Entry, Error, Kind, Metadata, Node, Reason, mounts,
    path::{PATH_LIMIT, absolute, join, last_name},
    recent::Change,
    walk,
};
use alloc::{
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};

/// What is known of what `path` names.
///
/// # Errors
///
/// When there is nothing of this name.
pub fn metadata(path: &str) -> Result<Metadata, Error> {
    Ok(walk::node(path)?.metadata())
}

/// Whether both paths name the same file or directory.
#[must_use]
pub fn is_same(one: &str, other: &str) -> bool {
    match (walk::node(one), walk::node(other)) {
        (Ok(one), Ok(other)) => one.is(&other),
        _ => false,
    }
}

/// The entries of a directory, sorted by name.
///
/// # Errors
///
/// When there is no such directory.
pub fn list(path: &str) -> Result<Vec<Entry>, Error> {
    let directory = walk::directory(path)?;
    let mut entries = directory
        .entries()
        .map_err(|reason| Error::new(path, reason))?;
    entries.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    Ok(entries)
}

/// Makes a directory.
///
/// # Errors
///
/// When the name is taken, the directory above does not exist, or there is no room.
pub fn create_directory(path: &str) -> Result<(), Error> {
    let error = |reason| Error::new(path, reason);
    let place = walk::parent(path)?;
    let name = place.name.ok_or_else(|| error(Reason::Exists))?;
    place
        .directory
        .create_directory(name)
        .map(drop)
        .map_err(error)
}

/// Makes a directory and those above it that do not exist.
///
/// # Errors
///
/// When one of them is a file or cannot be made. Those made before stay.
pub fn create_directories(path: &str) -> Result<(), Error> {
    match create_directory(path) {
        Err(error) if error.reason() == Reason::NotFound => {}
        Err(error) if error.reason() == Reason::Exists => return is_directory(path, error),
        other => return other,
    }
    let whole = absolute(&current_directory(), path);
    let ends = whole.match_indices('/').map(|(at, _)| at).skip(1);
    for end in ends.chain([whole.len()]) {
        let part = whole.get(..end).unwrap_or(&whole);
        match create_directory(part) {
            Err(error) if error.reason() == Reason::Exists => is_directory(part, error)?,
            other => other?,
        }
    }
    Ok(())
}

/// `error` unless `path` is a directory.
fn is_directory(path: &str, error: Error) -> Result<(), Error> {
    match metadata(path)?.kind {
        Kind::Directory => Ok(()),
        Kind::File => Err(error),
    }
}

/// Removes a file. Whoever has it open can go on reading and writing it.
///
/// # Errors
///
/// When there is none, or it is a directory.
pub fn remove_file(path: &str) -> Result<(), Error> {
    remove(path, Kind::File)
}

/// Removes an empty directory.
///
/// # Errors
///
/// When there is none, it has entries, or a file system is mounted there.
pub fn remove_directory(path: &str) -> Result<(), Error> {
    remove(path, Kind::Directory)
}

fn remove(path: &str, kind: Kind) -> Result<(), Error> {
    let error = |reason| Error::new(path, reason);
    let place = walk::parent(path)?;
    let name = own_name(&place).map_err(error)?;
    if place.is_directory && kind == Kind::File {
        let other = match place.node().map_err(error)? {
            Node::File(_) => Reason::NotADirectory,
            Node::Directory(_) => Reason::IsADirectory,
        };
        return Err(error(other));
    }
    let _change = Change::begin();
    place.directory.remove(name, kind).map_err(error)
}

/// Gives what `from` names the path `to`, in one step. A file takes the place of a file, a directory
/// that of an empty directory.
///
/// # Errors
///
/// When there is nothing at `from`, what is at `to` cannot be replaced, `to` lies in `from` or in
/// another file system, or a file system is mounted at either. The error is about one of the paths.
pub fn rename(from: &str, to: &str) -> Result<(), Error> {
    let source = walk::parent(from)?;
    let target = walk::parent(to)?;
    let name = own_name(&source).map_err(|reason| Error::new(from, reason))?;
    let new_name = own_name(&target).map_err(|reason| Error::new(to, reason))?;
    if (source.is_directory || target.is_directory)
        && let Node::File(_) = source
            .directory
            .look_up(name)
            .map_err(|reason| Error::new(from, reason))?
    {
        let path = if source.is_directory { from } else { to };
        return Err(Error::new(path, Reason::NotADirectory));
    }
    let _change = Change::begin();
    source
        .directory
        .rename(name, &target.directory, new_name)
        .map_err(|reason| match reason {
            Reason::NotFound | Reason::ReadOnly => Error::new(from, reason),
            other => Error::new(to, other),
        })
}

/// The name of an entry that may be removed or moved: not the root, not one on which something is
/// mounted.
fn own_name<'p>(place: &walk::Place<'p>) -> Result<&'p str, Reason> {
    let name = place.name.ok_or(Reason::NoName)?;
    match mounts::mounted_on(&place.directory, name) {
        Some(_) => Err(Reason::InUse),
        None => Ok(name),
    }
}

/// Where `source` arrives when it is copied or moved to `target`: in it under its own name, if that is a
/// directory.
///
/// # Errors
///
/// When `source` has no name that it could keep.
pub fn destination(source: &str, target: &str) -> Result<String, Error> {
    match metadata(target) {
        Ok(Metadata {
            kind: Kind::Directory,
            ..
        }) => {
            let name = last_name(source).ok_or_else(|| Error::new(source, Reason::NoName))?;
            Ok(join(target, name))
        }
        _ => Ok(target.to_string()),
    }
}

/// The current task's directory, where relative paths begin.
#[must_use]
pub fn current_directory() -> String {
    let directory = task::streams().directory();
    directory.map_or_else(|| "/".to_string(), |directory| directory.to_string())
}

/// The directory that `path` names, as an absolute path in its shortest form: what a task's streams
/// can have as their directory.
///
/// # Errors
///
/// When there is no such directory, or its path is too long.
pub fn directory_path(path: &str) -> Result<Arc<str>, Error> {
    walk::directory(path)?;
    let whole = absolute(&current_directory(), path);
    let length = whole.len();
    if length > PATH_LIMIT {
        return Err(Error::new(path, Reason::PathTooLong { length }));
    }
    Ok(Arc::from(whole))
}
