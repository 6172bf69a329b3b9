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

/// A walk: where it is, and the directories that it came through, if it may go back.
struct Walk {
    directory: Arc<dyn Directory>,
    above: Option<Vec<Arc<dyn Directory>>>,
}

/// Why a walk ends early.
enum Stop {
    /// Something is wrong with what is before this offset.
    At(Reason, usize),
    /// The walk has to go back, and does not know the way.
    WayIsNeeded,
}

impl From<(Reason, usize)> for Stop {
    fn from((reason, end): (Reason, usize)) -> Self {
        Self::At(reason, end)
    }
}

/// Walks to the directory of what `path` names.
pub(crate) fn parent(path: &str) -> Result<Place<'_>, Error> {
    let mut result = walk(path, None);
    if let Err(Stop::WayIsNeeded) = result {
        result = walk(path, Some(Vec::new()));
    }
    result.map_err(|stop| match stop {
        Stop::At(reason, end) => Error::at(path, end, reason),
        Stop::WayIsNeeded => Error::new(path, Reason::NotFound),
    })
}

fn walk(path: &str, above: Option<Vec<Arc<dyn Directory>>>) -> Result<Place<'_>, Stop> {
    let root = mounts::root().map_err(|reason| Stop::At(reason, path.len()))?;
    let mut steps = Steps::of(path)?;
    let mut walk = Walk {
        directory: Arc::clone(root),
        above,
    };
    if !path.starts_with('/') {
        walk.go_to_current_directory(path)?;
    }
    let Some(mut step) = steps.next() else {
        return Ok(Place {
            directory: walk.directory,
            name: None,
            is_directory: true,
        });
    };
    while let Some(next) = steps.next() {
        steps.check()?;
        walk.go(step)?;
        step = next;
    }
    steps.check()?;
    let Step {
        name, is_directory, ..
    } = step;
    if name == ".." {
        walk.go_up()?;
    }
    Ok(Place {
        directory: walk.directory,
        name: Some(name).filter(|name| *name != ".."),
        is_directory: is_directory || name == "..",
    })
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

impl Walk {
    /// Goes to the current task's directory, where `path` begins.
    fn go_to_current_directory(&mut self, path: &str) -> Result<(), Stop> {
        let Some(current) = task::streams().directory() else {
            return Ok(());
        };
        let length = current.len() + 1 + path.len();
        if length > PATH_LIMIT {
            return Err(Stop::At(Reason::PathTooLong { length }, path.len()));
        }
        for step in Steps::of(&current)? {
            self.go(step).map_err(|stop| match stop {
                Stop::At(Reason::NotFound, _) => Stop::At(Reason::NoCurrentDirectory, path.len()),
                Stop::At(reason, _) => Stop::At(reason, path.len()),
                stop @ Stop::WayIsNeeded => stop,
            })?;
        }
        Ok(())
    }

    /// Takes a step. The offset of an error is where the step ends.
    fn go(&mut self, step: Step<'_>) -> Result<(), Stop> {
        if step.name == ".." {
            return self.go_up();
        }
        let next = match mounts::mounted_on(&self.directory, step.name) {
            Some(root) => Arc::clone(root),
            None => match self.directory.look_up(step.name) {
                Ok(Node::Directory(directory)) => directory,
                Ok(Node::File(_)) => return Err(Stop::At(Reason::NotADirectory, step.end)),
                Err(reason) => return Err(Stop::At(reason, step.end)),
            },
        };
        let before = core::mem::replace(&mut self.directory, next);
        if let Some(above) = &mut self.above {
            above.push(before);
        }
        Ok(())
    }

    /// Goes to the directory above; the root's is the root.
    fn go_up(&mut self) -> Result<(), Stop> {
        let above = self.above.as_mut().ok_or(Stop::WayIsNeeded)?;
        if let Some(above) = above.pop() {
            self.directory = above;
        }
        Ok(())
    }
}
