//! The manifest's grants, as the archive's index carries them, against what an object says of itself.

use crate::{LoadError, PolicyProblem};
use alloc::borrow::ToOwned;
use linker::format::{
    archive::Archive,
    metadata::{FIRST_PARTY, UNSAFE_FORBIDDEN, UNSAFE_GRANTED},
};

/// Whether the manifest lets an object with these `flags` be loaded as `name`.
///
/// The object's flags say what the build proved of it; the index says what the running build's
/// manifest grants. An object from outside cannot grant itself more.
///
/// # Errors
///
/// Names the component and what it lacks.
pub fn check(archive: &Archive<'_>, name: &str, flags: u32) -> Result<(), LoadError> {
    let refuse = |problem| {
        Err(LoadError::Policy {
            component: name.to_owned(),
            problem,
        })
    };
    let known = archive
        .find(name, "")
        .and_then(|member| archive.member(member).ok());
    if let Some(known) = known
        && (known.flags ^ flags) & FIRST_PARTY != 0
    {
        return refuse(PolicyProblem::Origin);
    }
    if flags & FIRST_PARTY == 0 {
        return Ok(());
    }
    let granted = known.is_some_and(|known| known.flags & UNSAFE_GRANTED != 0);
    if flags & UNSAFE_GRANTED != 0 && !granted {
        return refuse(PolicyProblem::UnsafeNotGranted);
    }
    if flags & (UNSAFE_GRANTED | UNSAFE_FORBIDDEN) == 0 {
        return refuse(PolicyProblem::UnsafeNotForbidden);
    }
    Ok(())
}
