//! The manifest's grants, as the archive's index carries them, against what an object says of itself.

use crate::{LoadError, ObjectBytes, PolicyProblem, archive};
use alloc::{borrow::ToOwned, string::String};
use linker::{
    Object,
    format::{
        archive::Archive,
        metadata::{FIRST_PARTY, UNSAFE_FORBIDDEN, UNSAFE_GRANTED},
    },
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

/// Looks at an object that somebody has read from a file: its component's name, and its bytes, which
/// are those of the archive if that has the same.
///
/// Nobody vouches for a file. So one that the archive has not must forbid `unsafe`, whatever is
/// granted to components of its name.
///
/// # Errors
///
/// When the bytes are no object of this toolchain's, or lack what they need.
pub(crate) fn admit(label: &str, bytes: ObjectBytes) -> Result<(String, ObjectBytes), LoadError> {
    let archive = archive()?;
    let parsed = Object::parse(&bytes, Some(archive.header.toolchain));
    let object = parsed.map_err(|error| LoadError::Object {
        component: label.to_owned(),
        error,
    })?;
    let name = object.name().to_owned();
    let flags = object.metadata.header.flags;
    if bytes.member().is_some() {
        return Ok((name, bytes));
    }
    if let Some(known) = ObjectBytes::in_archive(&bytes) {
        return Ok((name, known));
    }
    if flags & UNSAFE_FORBIDDEN == 0 || flags & UNSAFE_GRANTED != 0 {
        return Err(LoadError::Policy {
            component: name,
            problem: PolicyProblem::UnsafeFromFile,
        });
    }
    Ok((name, bytes))
}
