//! Putting another implementation of an interface in charge.
//!
//! What an interface is and how its state is carried over is the affair of the crate that owns it and
//! has registered it (`component::Interface`); here the components are found, and the newcomer loaded
//! if nobody has done that yet.

use crate::{Reason, Refusal, Report, history, loading};
use alloc::{borrow::ToOwned, string::String};
use component::{Interface, SubstituteError, Substituted, interfaces};
use core::fmt;
use loader::LoadError;
use task::KillDeferral;

/// A substitution that was made, or would be.
#[derive(Clone, Debug)]
pub struct Substitution {
    /// The interface, in words.
    pub interface: &'static str,
    /// The component that was in charge.
    pub from: String,
    /// The component that is in charge now.
    pub to: String,
    /// What was carried over, in words, and how many of it; `None` in a rehearsal.
    pub done: Option<Substituted>,
    /// Whether `to` was loaded for this.
    pub loaded: bool,
}

/// Puts the implementation of component `to` in charge in the place of that of `from`. `to` is loaded
/// first if it is not. A rehearsal loads nothing, so what it cannot know it does not check.
#[must_use]
pub fn substitute(from: &str, to: &str, dry_run: bool) -> Report {
    let _whole = KillDeferral::new();
    let result = perform(from, to, dry_run).map(|substitution| {
        if !dry_run {
            history::lock().push_substitution(substitution.clone());
        }
        report(substitution, dry_run)
    });
    result.unwrap_or_else(Report::refused)
}

/// Takes a substitution back.
pub(crate) fn undo(substitution: &Substitution, dry_run: bool) -> Result<Report, Refusal> {
    let back = perform(&substitution.to, &substitution.from, dry_run)?;
    Ok(report(back, dry_run))
}

fn report(substitution: Substitution, dry_run: bool) -> Report {
    Report {
        substituted: Some(substitution),
        dry_run,
        ..Report::default()
    }
}

fn perform(from: &str, to: &str, dry_run: bool) -> Result<Substitution, Refusal> {
    let interface = interface_of(from)?;
    if from == to {
        return Err(Refusal::new(
            to,
            substitute_reason(interface, SubstituteError::InCharge),
        ));
    }
    let present = loader::snapshot().map_err(loading)?.find(to).is_some();
    let mut substitution = Substitution {
        interface: interface.name(),
        from: from.to_owned(),
        to: to.to_owned(),
        done: None,
        loaded: !present,
    };
    if dry_run {
        check_source(to, present)?;
        if present {
            implements(interface, to)?;
        }
        return Ok(substitution);
    }
    if !present {
        loader::load(to).map_err(|error| Refusal::new(to, Reason::Load(error)))?;
    }
    let done = implements(interface, to).and_then(|()| {
        let done = interface.substitute(from, to);
        done.map_err(|error| Refusal::new(to, substitute_reason(interface, error)))
    });
    if done.is_err() && !present {
        // One that cannot stop stays; it does nothing.
        let _ = loader::unload(to);
    }
    substitution.done = Some(done?);
    Ok(substitution)
}

/// Something is known by this name, loaded or not.
fn check_source(name: &str, loaded: bool) -> Result<(), Refusal> {
    if loaded {
        return Ok(());
    }
    let live = loader::snapshot().map_err(loading)?;
    let source = live.source_of(name);
    source.map_err(|_| Refusal::new(name, Reason::Unknown))?;
    Ok(())
}

/// The interface that the component `from` is in charge of.
fn interface_of(from: &str) -> Result<&'static dyn Interface, Refusal> {
    let mut registered = None;
    for interface in interfaces() {
        if in_charge(interface).as_deref() == Some(from) {
            return Ok(interface);
        }
        if is_registered(interface, from) {
            registered = Some(interface);
        }
    }
    if let Some(interface) = registered {
        let reason = substitute_reason(interface, SubstituteError::NotInCharge);
        return Err(Refusal::new(from, reason));
    }
    let loaded = loader::snapshot().map_err(loading)?.find(from).is_some();
    check_source(from, loaded)?;
    let reason = if loaded {
        Reason::Interface(InterfaceProblem::None)
    } else {
        Reason::Load(LoadError::NotLoaded {
            component: from.to_owned(),
        })
    };
    Err(Refusal::new(from, reason))
}

fn in_charge(interface: &dyn Interface) -> Option<String> {
    let mut found = None;
    interface.visit(&mut |implementation| {
        if implementation.in_charge {
            found = Some(implementation.component.to_owned());
        }
    });
    found
}

fn is_registered(interface: &dyn Interface, component: &str) -> bool {
    let mut found = false;
    interface.visit(&mut |implementation| found |= implementation.component == component);
    found
}

/// The component has registered an implementation of the interface.
fn implements(interface: &dyn Interface, component: &str) -> Result<(), Refusal> {
    if is_registered(interface, component) {
        return Ok(());
    }
    let interface = interface.name();
    let problem = InterfaceProblem::Other { interface };
    Err(Refusal::new(component, Reason::Interface(problem)))
}

fn substitute_reason(interface: &dyn Interface, error: SubstituteError) -> Reason {
    let name = interface.name();
    Reason::Interface(match error {
        SubstituteError::NotRegistered => InterfaceProblem::Other { interface: name },
        SubstituteError::InCharge => InterfaceProblem::InCharge { interface: name },
        SubstituteError::NotInCharge => InterfaceProblem::NotInCharge {
            interface: name,
            in_charge: in_charge(interface).unwrap_or_default(),
        },
        SubstituteError::NotParked { .. } | SubstituteError::Busy => InterfaceProblem::NotNow {
            interface: name,
            error,
        },
    })
}

/// Why a component does not take another one's place.
#[derive(Clone, Debug)]
pub enum InterfaceProblem {
    /// It implements no interface of which one component is in charge.
    None,
    /// It does not implement the interface.
    Other {
        /// The interface, in words.
        interface: &'static str,
    },
    /// It implements the interface, and another component is in charge.
    NotInCharge {
        /// The interface, in words.
        interface: &'static str,
        /// The component in charge.
        in_charge: String,
    },
    /// It is in charge of the interface already.
    InCharge {
        /// The interface, in words.
        interface: &'static str,
    },
    /// The state behind the interface cannot be carried over now.
    NotNow {
        /// The interface, in words.
        interface: &'static str,
        /// Why.
        error: SubstituteError,
    },
}

impl fmt::Display for InterfaceProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => {
                f.write_str("has registered nothing that another component could take over")
            }
            Self::Other { interface } => write!(f, "has registered no {interface}"),
            Self::NotInCharge {
                interface,
                in_charge,
            } => write!(f, "is not the {interface} in charge; {in_charge} is"),
            Self::InCharge { interface } => write!(f, "is the {interface} in charge already"),
            Self::NotNow { interface, error } => {
                write!(f, "cannot become the {interface} in charge: {error}")
            }
        }
    }
}
