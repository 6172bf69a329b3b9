//! The live namespace: one value behind one mutex, from which everything else is derived.

use crate::{LoadError, Loaded, ObjectBytes, ranks, texts};
use alloc::{borrow::ToOwned, string::String, sync::Arc, vec::Vec};
use handover::Handover;
use linker::{ComponentId, Namespace, format::archive::Archive};
use mutex::{Mutex, MutexGuard};

/// What is linked now.
///
/// A swap works on a clone and publishes it as a whole; a load changes it in place and takes its
/// changes back when it fails.
#[derive(Clone, Default)]
pub struct Live {
    /// The symbols' side.
    pub namespace: Namespace,
    /// The components' images, by number.
    loaded: Vec<Option<Arc<Loaded>>>,
    /// Objects that are loaded instead of the archive's default ones: those of applications and
    /// components that were swapped while they were not loaded.
    pub overrides: Vec<ObjectBytesOf>,
    /// Versions that were replaced or unloaded, and stay mapped.
    pub retired: Vec<Arc<Loaded>>,
}

/// An object that takes the place of a default one.
#[derive(Clone, Debug)]
pub struct ObjectBytesOf {
    /// The component.
    pub name: String,
    /// Its object.
    pub bytes: ObjectBytes,
}

#[used]
static LIVE: Mutex<Option<Arc<Live>>> = Mutex::ranked(ranks::LIVE, None);

/// What the nucleus left, set once.
#[used]
static BUILD: spin::Once<Build> = spin::Once::new();

struct Build {
    handover: &'static Handover,
    archive: Archive<'static>,
}

/// The record that the nucleus left.
///
/// # Errors
///
/// Before the loader has started.
pub fn handover() -> Result<&'static Handover, LoadError> {
    BUILD
        .get()
        .map(|build| build.handover)
        .ok_or(LoadError::NotStarted)
}

/// The archive, its index checked.
///
/// # Errors
///
/// Before the loader has started.
pub fn archive() -> Result<Archive<'static>, LoadError> {
    BUILD
        .get()
        .map(|build| build.archive)
        .ok_or(LoadError::NotStarted)
}

/// Makes `live` the live namespace, at the start.
pub(crate) fn install(handover: &'static Handover, archive: Archive<'static>, live: Live) {
    BUILD.call_once(|| Build { handover, archive });
    texts::replace(live.all_texts());
    *LIVE.lock() = Some(Arc::new(live));
}

/// The live namespace as it is now, to look at.
///
/// # Errors
///
/// Before the loader has started.
pub fn snapshot() -> Result<Arc<Live>, LoadError> {
    LIVE.lock().clone().ok_or(LoadError::NotStarted)
}

/// The right to change what is linked.
pub struct LiveGuard {
    guard: MutexGuard<'static, Option<Arc<Live>>>,
}

/// Waits for the right to change what is linked.
///
/// # Errors
///
/// Before the loader has started.
pub fn lock() -> Result<LiveGuard, LoadError> {
    let guard = LIVE.lock();
    if guard.is_none() {
        return Err(LoadError::NotStarted);
    }
    Ok(LiveGuard { guard })
}

impl LiveGuard {
    /// What is linked.
    ///
    /// # Errors
    ///
    /// Never: the guard was made from a live namespace.
    pub fn live(&self) -> Result<&Arc<Live>, LoadError> {
        self.guard.as_ref().ok_or(LoadError::NotStarted)
    }

    /// What is linked, to be changed in place. Copies it if somebody holds a snapshot.
    pub(crate) fn live_mut(&mut self) -> Result<&mut Live, LoadError> {
        self.guard
            .as_mut()
            .map(Arc::make_mut)
            .ok_or(LoadError::NotStarted)
    }

    /// Publishes `next` and returns what was live before: two pointers change place. Allocates
    /// nothing and frees nothing, so a swap calls it in its commit.
    pub fn publish(&mut self, next: Arc<Live>) -> Option<Arc<Live>> {
        self.guard.replace(next)
    }
}

impl Live {
    /// The image of a component.
    #[must_use]
    pub fn loaded(&self, id: ComponentId) -> Option<&Arc<Loaded>> {
        self.loaded.get(id.0 as usize)?.as_ref()
    }

    /// The images of all components.
    pub fn all_loaded(&self) -> impl Iterator<Item = (ComponentId, &Arc<Loaded>)> {
        self.loaded
            .iter()
            .zip(0..)
            .filter_map(|(loaded, number)| Some((ComponentId(number), loaded.as_ref()?)))
    }

    /// The component that others import from under this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<(ComponentId, &Arc<Loaded>)> {
        let id = self.namespace.find(name)?;
        Some((id, self.loaded(id)?))
    }

    /// The instances of the application `name`.
    pub fn instances(&self, name: &str) -> impl Iterator<Item = (ComponentId, &Arc<Loaded>)> {
        self.all_loaded()
            .filter(move |(_, loaded)| loaded.is_application() && loaded.name == name)
    }

    /// Sets the image of a component; returns the one before.
    pub fn set_loaded(
        &mut self,
        id: ComponentId,
        loaded: Option<Arc<Loaded>>,
    ) -> Option<Arc<Loaded>> {
        let index = id.0 as usize;
        if self.loaded.len() <= index {
            self.loaded.resize(index + 1, None);
        }
        core::mem::replace(self.loaded.get_mut(index)?, loaded)
    }

    /// Every version whose text is mapped: live ones and retired ones.
    #[must_use]
    pub fn all_texts(&self) -> Vec<Arc<Loaded>> {
        let live = self.loaded.iter().flatten();
        live.chain(&self.retired).map(Arc::clone).collect()
    }

    /// The object that is loaded under `name` the next time: one that was swapped in, else the
    /// archive's default.
    ///
    /// # Errors
    ///
    /// When there is none, or the archive's is corrupt.
    pub fn source_of(&self, name: &str) -> Result<ObjectBytes, LoadError> {
        if let Some(found) = self.overrides.iter().find(|entry| entry.name == name) {
            return Ok(found.bytes.clone());
        }
        let archive = archive()?;
        let member = archive.find(name, "").ok_or_else(|| LoadError::Unknown {
            component: name.to_owned(),
        })?;
        Ok(ObjectBytes::Archive {
            member,
            bytes: archive.object(member)?,
            is_default: true,
        })
    }

    /// Sets what is loaded under `name` the next time.
    pub fn set_source(&mut self, name: &str, bytes: ObjectBytes) {
        self.overrides.retain(|entry| entry.name != name);
        self.overrides.push(ObjectBytesOf {
            name: name.to_owned(),
            bytes,
        });
    }
}
