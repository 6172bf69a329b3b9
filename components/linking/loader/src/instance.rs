//! Runs of applications: each is an instance with statics and stubs of its own.

use crate::{LoadError, Loaded, ObjectBytes, hooks, live, load, policy};
use alloc::{borrow::ToOwned, string::String, sync::Arc};
use component::Application;
use core::fmt;
use linker::ComponentId;

/// A loaded instance of an application. Dropping it takes it out of the namespace and unmaps it, so
/// whoever owns it lets no task of the instance outlive it.
pub struct Instance {
    id: ComponentId,
    entry: Application,
    loaded: Option<Arc<Loaded>>,
    name: String,
}

/// Loads and links an instance of the application `name`, and what it needs.
///
/// # Errors
///
/// Names the component at fault. Nothing of the instance stays.
pub fn instantiate(name: &str) -> Result<Instance, LoadError> {
    let bytes = live::snapshot()?.source_of(name)?;
    enter(name, bytes)
}

/// Loads and links an instance of the application whose object `bytes` are, from wherever somebody has
/// read them, and what it needs. Messages call it `label` as long as its own name is not known.
///
/// # Errors
///
/// When the bytes are not an object that this system can run, are no application, or may use
/// `unsafe` and are none of the archive's objects. Nothing of the instance stays.
pub fn instantiate_object(label: &str, bytes: ObjectBytes) -> Result<Instance, LoadError> {
    let (name, bytes) = policy::admit(label, bytes)?;
    enter(&name, bytes)
}

/// Loads an instance and looks for its entry.
fn enter(name: &str, bytes: ObjectBytes) -> Result<Instance, LoadError> {
    let id = load::load_instance(name, bytes)?;
    let found = live::snapshot().and_then(|live| {
        let loaded = live.loaded(id).cloned();
        loaded.ok_or_else(|| LoadError::NotLoaded {
            component: name.to_owned(),
        })
    });
    let entry = found.and_then(|loaded| Ok((hooks::entry_of(&loaded)?, loaded)));
    match entry {
        Ok((entry, loaded)) => Ok(Instance {
            id,
            entry,
            loaded: Some(loaded),
            name: name.to_owned(),
        }),
        Err(error) => {
            load::discard(&[id]);
            Err(error)
        }
    }
}

impl Instance {
    /// The application's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The instance's number in the namespace.
    #[must_use]
    pub const fn id(&self) -> ComponentId {
        self.id
    }

    /// Its entry, to be called only while the instance lives.
    #[must_use]
    pub const fn entry(&self) -> Application {
        self.entry
    }

    /// Runs the application on the current task. `words` are the words of the command, its own name
    /// first. Returns the exit code.
    #[must_use]
    pub fn run(&self, words: &[&str]) -> u8 {
        (self.entry.main)(words)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.loaded = None;
        load::discard(&[self.id]);
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "instance {} of {}", self.id.0, self.name)
    }
}
