//! From a path to what it names.

use crate::{
    Directory, Error, Node, Reason, mounts,
    path::{PATH_LIMIT, Step, Steps},
};
use alloc::{sync::Arc, vec::Vec};

/// Where a path leads: an entry of a directory, whether it exists or not.
pub(crate) struct Place<'p> {
    /// The directory of the entry; the one that is meant when there is no name.
    pub(crate) directory: Arc<dyn Directory>,
    /// The entry's name; none when the path is the root or ends with `..`.
    pub(crate) name: Option<&'p str>,
    /// Whether the path says that it is a directory.
    pub(crate) is_directory: bool,
}

/// Walks to the directory of what `path` names.
pub(crate) fn parent(path: &str) -> Result<Place<'_>, Error> {
    task::safe_point();
    let at = |(reason, end)| Error::at(path, end, reason);
    let mut steps = Steps::of(path).map_err(at)?;
    let mut directory = begin(path, None)?;
    let mut last: Option<Step<'_>> = None;
    while let Some(step) = steps.next() {
        steps.check().map_err(at)?;
        if step.name == ".." {
            return parent_with_way_back(path);
        }
        if let Some(step) = last.replace(step) {
            directory = go(&directory, step).map_err(at)?;
        }
    }
    Ok(Place {
        directory,
        name: last.map(|step| step.name),
        is_directory: last.is_none_or(|step| step.is_directory),
    })
}

/// The same for a path with `..`: it remembers the directories that it comes through.
#[cold]
fn parent_with_way_back(path: &str) -> Result<Place<'_>, Error> {
    let at = |(reason, end)| Error::at(path, end, reason);
    let mut steps = Steps::of(path).map_err(at)?;
    let mut above = Vec::new();
    let mut directory = begin(path, Some(&mut above))?;
    let mut last: Option<Step<'_>> = None;
    while let Some(step) = steps.next() {
        steps.check().map_err(at)?;
        if let Some(step) = last.replace(step) {
            let next = go(&directory, step).map_err(at)?;
            above.push(core::mem::replace(&mut directory, next));
        }
        if step.name == ".." {
            last = None;
            directory = above.pop().unwrap_or(directory); // The root's is the root.
        }
    }
    Ok(Place {
        directory,
        name: last.map(|step| step.name),
        is_directory: last.is_none_or(|step| step.is_directory),
    })
}

/// Where `path` begins: at the root, or in the current task's directory. The directories above that are
/// added to `above`.
fn begin(
    path: &str,
    mut above: Option<&mut Vec<Arc<dyn Directory>>>,
) -> Result<Arc<dyn Directory>, Error> {
    let error = |reason| Error::new(path, reason);
    let mut directory = Arc::clone(mounts::root().map_err(error)?);
    if path.starts_with('/') {
        return Ok(directory);
    }
    let Some(current) = task::streams().directory() else {
        return Ok(directory);
    };
    let length = current.len() + 1 + path.len();
    if length > PATH_LIMIT {
        return Err(error(Reason::PathTooLong { length }));
    }
    for step in Steps::of(&current).map_err(|(reason, _)| error(reason))? {
        let next = go(&directory, step).map_err(|(reason, _)| match reason {
            Reason::NotFound => error(Reason::NoCurrentDirectory),
            other => error(other),
        })?;
        let before = core::mem::replace(&mut directory, next);
        if let Some(above) = &mut above {
            above.push(before);
        }
    }
    Ok(directory)
}

/// Takes a step from `directory`. The offset of an error is where the step ends.
#[inline]
fn go(
    directory: &Arc<dyn Directory>,
    step: Step<'_>,
) -> Result<Arc<dyn Directory>, (Reason, usize)> {
    if let Some(root) = mounts::mounted_on(directory, step.name) {
        return Ok(Arc::clone(root));
    }
    match directory.look_up(step.name) {
        Ok(Node::Directory(next)) => Ok(next),
        Ok(Node::File(_)) => Err((Reason::NotADirectory, step.end)),
        Err(reason) => Err((reason, step.end)),
    }
}

/// Walks to what `path` names.
pub(crate) fn node(path: &str) -> Result<Node, Error> {
    let place = parent(path)?;
    place.node().map_err(|reason| Error::new(path, reason))
}

/// Walks to the directory that `path` names.
pub(crate) fn directory(path: &str) -> Result<Arc<dyn Directory>, Error> {
    match node(path)? {
        Node::Directory(directory) => Ok(directory),
        Node::File(_) => Err(Error::new(path, Reason::NotADirectory)),
    }
}

impl Place<'_> {
    /// What is there.
    pub(crate) fn node(&self) -> Result<Node, Reason> {
        let Some(name) = self.name else {
            return Ok(Node::Directory(Arc::clone(&self.directory)));
        };
        if let Some(root) = mounts::mounted_on(&self.directory, name) {
            return Ok(Node::Directory(Arc::clone(root)));
        }
        let node = self.directory.look_up(name)?;
        if self.is_directory && matches!(node, Node::File(_)) {
            return Err(Reason::NotADirectory);
        }
        Ok(node)
    }
}
