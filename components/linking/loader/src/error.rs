//! Why something could not be loaded, unloaded or found.

use alloc::{string::String, vec::Vec};
use core::fmt;
use linker::{LinkError, ObjectError, format::archive::ArchiveError};
use mappings::MappingError;

/// Why the loader could not do what it was asked.
#[derive(Clone, Debug)]
pub enum LoadError {
    /// The loader has not adopted the nucleus's components yet.
    NotStarted,
    /// The archive is not what it was.
    Archive(ArchiveError),
    /// An object is corrupt, or this system cannot run it.
    Object {
        /// The component.
        component: String,
        /// What is wrong.
        error: ObjectError,
    },
    /// An object cannot be linked; the error names it.
    Link(LinkError),
    /// There is no memory for a component.
    Memory {
        /// The component.
        component: String,
        /// What went wrong.
        error: MappingError,
    },
    /// The archive has no such component.
    Unknown {
        /// What was asked for.
        component: String,
    },
    /// The component is not loaded.
    NotLoaded {
        /// The component.
        component: String,
    },
    /// Others import from the component.
    InUse {
        /// The component.
        component: String,
        /// Who imports from it.
        users: Vec<String>,
    },
    /// The component takes resources when it starts and has no hook to give them back.
    NoStop {
        /// The component.
        component: String,
    },
    /// The component's own hook refused.
    Hook {
        /// The component.
        component: String,
        /// The hook.
        hook: &'static str,
        /// Its reason.
        message: String,
    },
    /// The component's declaration was compiled against another type.
    Declaration {
        /// The component.
        component: String,
        /// The type.
        what: &'static str,
    },
    /// The component is an application, or is none, where the other was needed.
    Kind {
        /// The component.
        component: String,
        /// Whether it is an application.
        application: bool,
    },
    /// The manifest's grants do not cover the object.
    Policy {
        /// The component.
        component: String,
        /// What the object claims and the manifest denies.
        problem: PolicyProblem,
    },
    /// The object sees something otherwise than a component that was swapped in.
    Incompatible {
        /// The component.
        component: String,
        /// The component that was swapped in.
        other: String,
        /// What they see differently.
        what: String,
    },
    /// What the nucleus handed over contradicts the objects.
    Handover {
        /// The component.
        component: String,
        /// What differs.
        what: &'static str,
    },
}

/// What an object claims and the manifest denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyProblem {
    /// It uses `unsafe`, and the manifest does not grant that.
    UnsafeNotGranted,
    /// It neither forbids `unsafe` nor has a grant.
    UnsafeNotForbidden,
    /// It says that it belongs to somebody else than the archive says.
    Origin,
    /// It comes from a file, is none of the archive's objects, and does not forbid `unsafe`.
    UnsafeFromFile,
}

impl fmt::Display for PolicyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnsafeNotGranted => "uses unsafe without a grant in the manifest",
            Self::UnsafeNotForbidden => "does not forbid unsafe and has no grant",
            Self::Origin => "claims another origin than the running build's",
            Self::UnsafeFromFile => {
                "may use unsafe, and is not the object of this name that the archive has"
            }
        })
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted => f.write_str("the loader has not started yet"),
            Self::Archive(error) => error.fmt(f),
            Self::Object { component, error } => write!(f, "{component}: {error}"),
            Self::Link(error) => error.fmt(f),
            Self::Memory { component, error } => write!(f, "no memory for {component}: {error}"),
            Self::Unknown { component } => write!(f, "there is no component \"{component}\""),
            Self::NotLoaded { component } => write!(f, "{component} is not loaded"),
            Self::InUse { component, users } => {
                write!(f, "{component} is in use by ")?;
                for (index, user) in users.iter().enumerate() {
                    write!(f, "{}{user}", if index == 0 { "" } else { ", " })?;
                }
                Ok(())
            }
            Self::NoStop { component } => {
                write!(
                    f,
                    "{component} cannot stop: it has a start hook and no stop hook"
                )
            }
            Self::Hook {
                component,
                hook,
                message,
            } => {
                write!(f, "{component}'s {hook} hook: {message}")
            }
            Self::Declaration { component, what } => {
                write!(f, "{component} was compiled against another {what}")
            }
            Self::Kind {
                component,
                application: true,
            } => {
                write!(
                    f,
                    "{component} is an application: it is loaded by being run"
                )
            }
            Self::Kind { component, .. } => write!(f, "{component} is not an application"),
            Self::Policy { component, problem } => write!(f, "{component} {problem}"),
            Self::Incompatible {
                component,
                other,
                what,
            } => {
                write!(
                    f,
                    "{component} and {other} are of builds that see `{what}` differently"
                )
            }
            Self::Handover { component, what } => {
                write!(
                    f,
                    "{component}: the nucleus handed over another {what} than its object has"
                )
            }
        }
    }
}

impl core::error::Error for LoadError {}

impl From<ArchiveError> for LoadError {
    fn from(error: ArchiveError) -> Self {
        Self::Archive(error)
    }
}

impl From<LinkError> for LoadError {
    fn from(error: LinkError) -> Self {
        Self::Link(error)
    }
}
