//! A directory: its entries under a lock, and moves between directories.

use crate::{
    entries::{Entries, Name},
    file::MemoryFile,
    quota::{Exhausted, Quota},
    volume::{Charge, Shared},
};
use alloc::{
    boxed::Box,
    sync::{Arc, Weak},
    vec::Vec,
};
use core::{
    any::Any,
    ptr,
    sync::atomic::{AtomicU64, Ordering},
};
use cpu::IrqMutex;
use mutex::Mutex;
use vfs::{Directory, Entry, File, Kind, Metadata, Node, Reason};

/// A directory in memory.
pub(crate) struct MemoryDirectory {
    /// For the directory itself; the entries have their own.
    charge: Charge,
    /// Its own owner, to be known by those below.
    me: Weak<Self>,
    state: Mutex<State>,
    /// The directory above; changed by whoever holds the lock of moves.
    above: IrqMutex<Weak<Self>>,
    modified_ns: AtomicU64,
}

struct State {
    entries: Entries<MemoryNode>,
    /// Whether it has been removed: then nothing can be made in it any more.
    removed: bool,
}

/// What a name stands for.
#[derive(Clone)]
enum MemoryNode {
    File(Arc<MemoryFile>),
    Directory(Arc<MemoryDirectory>),
}

impl MemoryNode {
    fn metadata(&self) -> Metadata {
        match self {
            Self::File(file) => file.metadata(),
            Self::Directory(directory) => directory.metadata(),
        }
    }
}

impl MemoryDirectory {
    /// An empty directory in `above`; the topmost one is in none.
    pub(crate) fn create(shared: &Arc<Shared>, above: Weak<Self>) -> Result<Arc<Self>, Exhausted> {
        let charge = Charge::owned::<Self>(shared)?;
        Ok(Arc::new_cyclic(|me| Self {
            charge,
            me: me.clone(),
            state: Mutex::new(State {
                entries: Entries::new(),
                removed: false,
            }),
            above: IrqMutex::new(above),
            modified_ns: AtomicU64::new(task::now_ns()),
        }))
    }

    fn quota(&self) -> &Quota {
        &self.charge.shared.quota
    }

    /// Enters what `make` makes, if the name is free.
    fn enter<T>(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<Arc<T>, Reason>,
        node: impl FnOnce(Arc<T>) -> MemoryNode,
    ) -> Result<Arc<T>, Reason> {
        let made = make()?;
        let name_there = Name::new(name, self.quota())?;
        let mut state = self.state.lock();
        if state.removed {
            return Err(Reason::NotFound);
        }
        if state.entries.get(name).is_some() {
            return Err(Reason::Exists);
        }
        state.entries.reserve(self.quota())?;
        state.entries.insert(name_there, node(Arc::clone(&made)));
        self.touch();
        Ok(made)
    }

    fn touch(&self) {
        self.modified_ns.store(task::now_ns(), Ordering::Relaxed);
    }

    /// Marks it as removed, if it is empty. Its entry goes next.
    fn retire(&self) -> Result<(), Reason> {
        let mut state = self.state.lock();
        if state.entries.is_empty() {
            state.removed = true;
            Ok(())
        } else {
            Err(Reason::NotEmpty)
        }
    }

    fn above(&self) -> Option<Arc<Self>> {
        self.above.lock().upgrade()
    }

    /// Whether `other` lies in this directory, at any depth. Stays true or false while the caller holds
    /// the lock of moves.
    fn is_above(&self, other: &Self) -> bool {
        let mut next = other.above();
        while let Some(directory) = next {
            if ptr::eq(&*directory, self) {
                return true;
            }
            next = directory.above();
        }
        false
    }

    fn rename_here(&self, name: &str, new_name: Name<'_>, new: &str) -> Result<(), Reason> {
        let mut state = self.state.lock();
        let node = state.entries.get(name).ok_or(Reason::NotFound)?.clone();
        if name == new {
            return Ok(());
        }
        let existing = state.entries.get(new).cloned();
        let replaced = match &existing {
            Some(existing) => {
                check_kinds(&node, existing)?;
                if let MemoryNode::Directory(existing) = existing {
                    existing.retire()?;
                }
                state.entries.replace(new, node)
            }
            None => {
                state.entries.reserve(self.quota())?;
                state.entries.insert(new_name, node);
                None
            }
        };
        let moved = state.entries.remove(name, self.quota());
        self.touch();
        drop(state);
        drop((replaced, existing, moved)); // Not under the lock: it may be much.
        Ok(())
    }

    fn move_to(
        &self,
        name: &str,
        target: &Self,
        new_name: Name<'_>,
        new: &str,
    ) -> Result<(), Reason> {
        let quota = self.quota();
        let _one_at_a_time = self.charge.shared.moves.lock();
        let (mut from, mut to) = self.lock_both(target);
        if to.removed {
            return Err(Reason::NotFound);
        }
        let node = from.entries.get(name).ok_or(Reason::NotFound)?.clone();
        if let MemoryNode::Directory(moved) = &node
            && (ptr::eq(&**moved, target) || moved.is_above(target))
        {
            return Err(Reason::IntoItself);
        }
        let existing = to.entries.get(new).cloned();
        let replaced = match &existing {
            Some(existing) => {
                check_kinds(&node, existing)?;
                if let MemoryNode::Directory(existing) = existing {
                    // One that holds what is moved is not empty, and perhaps locked.
                    if ptr::eq(&**existing, self) || existing.is_above(self) {
                        return Err(Reason::NotEmpty);
                    }
                    existing.retire()?;
                }
                to.entries.replace(new, node.clone())
            }
            None => {
                to.entries.reserve(quota)?;
                to.entries.insert(new_name, node.clone());
                None
            }
        };
        if let MemoryNode::Directory(moved) = &node {
            let before = core::mem::replace(&mut *moved.above.lock(), target.me.clone());
            drop(before);
        }
        let moved = from.entries.remove(name, quota);
        self.touch();
        target.touch();
        drop((from, to));
        drop((replaced, existing, moved, node)); // Not under the locks: it may be much.
        Ok(())
    }

    /// Locks this directory and another one, in an order in which nobody waits for ever. The caller
    /// holds the lock of moves.
    fn lock_both<'d>(
        &'d self,
        other: &'d Self,
    ) -> (mutex::MutexGuard<'d, State>, mutex::MutexGuard<'d, State>) {
        let lower_address = || ptr::from_ref(self).addr() < ptr::from_ref(other).addr();
        let first = self.is_above(other) || (!other.is_above(self) && lower_address());
        if first {
            let own = self.state.lock();
            (own, other.state.lock())
        } else {
            let others = other.state.lock();
            (self.state.lock(), others)
        }
    }
}

/// Whether `node` can take the place of `existing`, by what they are.
fn check_kinds(node: &MemoryNode, existing: &MemoryNode) -> Result<(), Reason> {
    match (node, existing) {
        (MemoryNode::File(_), MemoryNode::Directory(_)) => Err(Reason::IsADirectory),
        (MemoryNode::Directory(_), MemoryNode::File(_)) => Err(Reason::NotADirectory),
        _ => Ok(()),
    }
}

impl Directory for MemoryDirectory {
    fn metadata(&self) -> Metadata {
        let state = self.state.lock();
        Metadata {
            kind: Kind::Directory,
            length: state.entries.len() as u64,
            allocated: state.entries.charged() + self.charge.bytes(),
            modified_ns: self.modified_ns.load(Ordering::Relaxed),
            read_only: false,
        }
    }

    fn is_steady(&self) -> bool {
        true
    }

    fn look_up(&self, name: &str) -> Result<Node, Reason> {
        let state = self.state.lock();
        match state.entries.get(name) {
            Some(MemoryNode::File(file)) => Ok(Node::File(Arc::<MemoryFile>::clone(file))),
            Some(MemoryNode::Directory(directory)) => {
                Ok(Node::Directory(Arc::<Self>::clone(directory)))
            }
            None => Err(Reason::NotFound),
        }
    }

    fn entries(&self) -> Result<Vec<Entry>, Reason> {
        let copy = |(name, node): (&str, &MemoryNode)| (Box::from(name), node.clone());
        let nodes: Vec<(Box<str>, MemoryNode)> =
            self.state.lock().entries.iter().map(copy).collect();
        let describe = |(name, node): (Box<str>, MemoryNode)| Entry {
            name,
            metadata: node.metadata(),
        };
        Ok(nodes.into_iter().map(describe).collect())
    }

    fn create_file(&self, name: &str) -> Result<Arc<dyn File>, Reason> {
        let make = || MemoryFile::create(&self.charge.shared);
        Ok(self.enter(name, make, MemoryNode::File)?)
    }

    fn create_directory(&self, name: &str) -> Result<Arc<dyn Directory>, Reason> {
        let make = || Ok(Self::create(&self.charge.shared, self.me.clone())?);
        Ok(self.enter(name, make, MemoryNode::Directory)?)
    }

    fn remove(&self, name: &str, kind: Kind) -> Result<(), Reason> {
        let mut state = self.state.lock();
        let check = |node: &MemoryNode| match (node, kind) {
            (MemoryNode::File(_), Kind::Directory) => Err(Reason::NotADirectory),
            (MemoryNode::Directory(_), Kind::File) => Err(Reason::IsADirectory),
            (MemoryNode::Directory(directory), Kind::Directory) => directory.retire(),
            (MemoryNode::File(_), Kind::File) => Ok(()),
        };
        let removed = state.entries.remove_if(name, self.quota(), check)?;
        if removed.is_none() {
            return Err(Reason::NotFound);
        }
        self.touch();
        drop(state);
        drop(removed); // Not under the lock: it may be much.
        Ok(())
    }

    fn rename(
        &self,
        name: &str,
        target: &Arc<dyn Directory>,
        new_name: &str,
    ) -> Result<(), Reason> {
        let target: &dyn Any = &**target;
        let target = target
            .downcast_ref::<Self>()
            .filter(|target| Arc::ptr_eq(&target.charge.shared, &self.charge.shared))
            .ok_or(Reason::OtherFileSystem)?;
        let new = Name::new(new_name, self.quota())?;
        if ptr::eq(self, target) {
            self.rename_here(name, new, new_name)
        } else {
            self.move_to(name, target, new, new_name)
        }
    }
}

impl Drop for MemoryDirectory {
    fn drop(&mut self) {
        let table = self.state.get_mut().entries.charged();
        self.quota().give_back(table);
    }
}
