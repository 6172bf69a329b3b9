//! Which file systems there are, and where.
//!
//! A file system other than the root is mounted on a directory, the entry of another one; a walk that
//! takes this step arrives at the root of the mounted file system instead. So a mount stays where it
//! is when directories above it are renamed. A mount stays for as long as the system runs.

use crate::{
    Directory, Error, FileSystem, Node, Reason, Usage, path::absolute, recent::Change,
    traits::same, walk,
};
use alloc::{borrow::ToOwned, boxed::Box, string::String, sync::Arc, vec::Vec};
use mutex::Mutex;
use spin::Once;

/// A mount, and those that came later. They stay, so a walk reads them without a lock.
struct Mount {
    /// The directory with the entry that is covered, and its name; none for the root.
    covered: Option<(Arc<dyn Directory>, String)>,
    /// Where that was when it was mounted.
    path: String,
    system: Arc<dyn FileSystem>,
    /// The topmost directory of `system`.
    root: Arc<dyn Directory>,
    next: Once<Box<Mount>>,
}

/// The mount of the root, from which all are reached.
#[used]
static ROOT: Once<Mount> = Once::new();

/// Whoever holds it may add a mount.
#[used]
static ADDING: Mutex<()> = Mutex::new(());

/// All mounts, the root's first.
fn all() -> impl Iterator<Item = &'static Mount> {
    core::iter::successors(ROOT.get(), |mount| mount.next.get().map(|next| &**next))
}

/// The topmost directory of all.
pub(crate) fn root() -> Result<&'static Arc<dyn Directory>, Reason> {
    match ROOT.get() {
        Some(mount) => Ok(&mount.root),
        None => Err(Reason::NothingMounted),
    }
}

/// The topmost directory of what is mounted on the entry `name` of `directory`.
pub(crate) fn mounted_on(
    directory: &Arc<dyn Directory>,
    name: &str,
) -> Option<&'static Arc<dyn Directory>> {
    let covers = |mount: &&Mount| match &mount.covered {
        Some((covered, own_name)) => same(covered, directory) && own_name == name,
        None => false,
    };
    all().find(covers).map(|mount| &mount.root)
}

/// Mounts `system` at `path`: the first one at `/`, every other on a directory that exists.
///
/// # Errors
///
/// When there is no such directory, or something is mounted there.
pub fn mount(path: &str, system: Arc<dyn FileSystem>) -> Result<(), Error> {
    let error = |reason| Error::new(path, reason);
    let _alone = ADDING.lock();
    let covered = match ROOT.get() {
        None if path == "/" => None,
        None => return Err(error(Reason::NothingMounted)),
        Some(_) => Some(entry(path)?),
    };
    let mount = Mount {
        covered,
        path: absolute(&crate::current_directory(), path),
        root: system.root(),
        system,
        next: Once::new(),
    };
    let _change = Change::begin();
    // Made before, so that nothing in `call_once` can unwind.
    match all().last() {
        None => {
            ROOT.call_once(|| mount);
        }
        Some(last) => {
            let mount = Box::new(mount);
            last.next.call_once(|| mount);
        }
    }
    Ok(())
}

/// The entry that `path` names: a directory on which nothing is mounted.
fn entry(path: &str) -> Result<(Arc<dyn Directory>, String), Error> {
    let error = |reason| Error::new(path, reason);
    let place = walk::parent(path)?;
    let name = place.name.ok_or_else(|| error(Reason::InUse))?;
    if mounted_on(&place.directory, name).is_some() {
        return Err(error(Reason::InUse));
    }
    match place.directory.look_up(name).map_err(error)? {
        Node::Directory(_) => Ok((place.directory, name.to_owned())),
        Node::File(_) => Err(error(Reason::NotADirectory)),
    }
}

/// A mounted file system.
#[derive(Clone, Debug)]
pub struct MountInfo {
    /// Where it is, or was when it was mounted.
    pub path: String,
    /// What it is called.
    pub name: &'static str,
    /// How much room it has.
    pub usage: Usage,
    /// Whether it can only be read.
    pub read_only: bool,
}

/// The mounted file systems, the root's first.
#[must_use]
pub fn mounts() -> Vec<MountInfo> {
    let look = |mount: &Mount| MountInfo {
        path: mount.path.clone(),
        name: mount.system.name(),
        usage: mount.system.usage(),
        read_only: mount.system.is_read_only(),
    };
    all().map(look).collect()
}
