//! Why a swap is refused. A refused swap has changed nothing.

use crate::{Step, substitute::InterfaceProblem};
use alloc::string::{String, ToString};
use core::fmt;
use linker::{LinkError, ObjectError};
use loader::LoadError;

/// Why a swap is refused, and by the name of what.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The component at fault, as the request or the system names it.
    pub component: String,
    /// What is wrong.
    pub reason: Reason,
}

/// What is wrong.
#[derive(Clone, Debug)]
pub enum Reason {
    /// Neither a component nor an archive member has this name.
    Unknown,
    /// The archive has no such build of the component.
    UnknownBuild {
        /// What was asked for.
        wanted: String,
    },
    /// The object is of another component.
    OtherComponent {
        /// Which.
        found: String,
    },
    /// The component is named twice in one request.
    Twice,
    /// The object is corrupt or of another toolchain.
    Object(ObjectError),
    /// The object cannot be linked.
    Link(LinkError),
    /// The loader refuses: policy, memory, archive.
    Load(LoadError),
    /// Something that both builds name is not the same in both.
    Differs {
        /// What and how, in words.
        difference: String,
    },
    /// It has state that cannot be carried to another build.
    StateNotTransferable,
    /// A component that stays sees something otherwise than one of the new builds.
    Survivor {
        /// The new build's component.
        with: String,
        /// What they see differently.
        what: String,
    },
    /// It sees something otherwise than an earlier build, of which objects may be alive.
    Alive {
        /// What, and how.
        what: String,
    },
    /// It was loaded since, of the build that is to be taken back.
    LoadedSince,
    /// It stays, and reads a constant whose value changes.
    Constant {
        /// The constant.
        constant: String,
    },
    /// A component that stays is not of the new build.
    NotOfTheBuild {
        /// Its content id.
        found: u128,
        /// The new build's content id for it; `None` when the new build has no such component.
        expected: Option<u128>,
    },
    /// A slot does not hold what it should: somebody else has changed it.
    SlotChanged,
    /// There is nothing to undo.
    NothingToUndo,
    /// It cannot be put in charge of an interface, or is in charge of none.
    Interface(InterfaceProblem),
    /// The component is not what the swap to be undone made of it.
    ChangedSince,
    /// A component that was loaded since needs something that the old version does not have.
    NeededSince {
        /// The component that needs it.
        user: String,
        /// The symbol (ELF name).
        symbol: String,
    },
    /// The CPU did not park in time for the commit.
    NotParked,
    /// A test asked for a failure here.
    Injected(Step),
}

impl Refusal {
    pub(crate) fn new(component: impl ToString, reason: Reason) -> Self {
        Self {
            component: component.to_string(),
            reason,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.component, self.reason)
    }
}

impl core::error::Error for Refusal {}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("there is no such component"),
            Self::UnknownBuild { wanted } => {
                write!(f, "the archive has no build \"{wanted}\" of it")
            }
            Self::OtherComponent { found } => write!(f, "the object is one of {found}"),
            Self::Twice => f.write_str("is named twice"),
            Self::Object(error) => error.fmt(f),
            Self::Link(error) => error.fmt(f),
            Self::Load(error) => error.fmt(f),
            Self::Differs { difference } => f.write_str(difference),
            Self::StateNotTransferable => f.write_str(
                "state not transferable: it has a mutable static without a whole symbol",
            ),
            Self::Survivor { with, what } => {
                write!(f, "stays, and sees `{what}` otherwise than the new {with}")
            }
            Self::Alive { what } => write!(
                f,
                "{what} than in an earlier build, of which objects may be alive"
            ),
            Self::LoadedSince => {
                f.write_str("was loaded since, of the build that is to be taken back")
            }
            Self::Constant { constant } => {
                write!(
                    f,
                    "stays, and would go on reading the old value of the constant `{constant}`"
                )
            }
            Self::NotOfTheBuild {
                found,
                expected: Some(expected),
            } => write!(
                f,
                "stays, but is not of the new build (content id {found:032x}, there {expected:032x})"
            ),
            Self::NotOfTheBuild {
                found,
                expected: None,
            } => {
                write!(
                    f,
                    "stays (content id {found:032x}), but the new build has no such component"
                )
            }
            Self::SlotChanged => f.write_str("an entry stub does not lead where it should"),
            Self::NothingToUndo => f.write_str("there is no swap to undo"),
            Self::Interface(problem) => problem.fmt(f),
            Self::ChangedSince => f.write_str("is not what the swap to be undone made of it"),
            Self::NeededSince { user, symbol } => {
                write!(
                    f,
                    "{user}, loaded since, needs {symbol}, which the old version does not have"
                )
            }
            Self::NotParked => f.write_str("did not park in time for the commit"),
            Self::Injected(step) => write!(f, "a test asked for a failure after step {step}"),
        }
    }
}
