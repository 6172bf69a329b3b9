//! The stages of the manifest.

use component::{Hooks, StartError};
use core::fmt;
use handover::{Handover, StartEntry};
use linker::format::archive::{Archive, ArchiveError};

/// Why the boot ends here.
#[expect(
    clippy::large_enum_variant,
    reason = "there may be no heap yet to box the reason in"
)]
#[derive(Debug)]
pub(crate) enum Failure {
    /// The archive, which the nucleus has read, cannot be read any more.
    Archive(ArchiveError),
    /// A component whose stage is not optional could not start.
    Start {
        /// The stage.
        stage: &'static str,
        /// The component.
        component: &'static str,
        /// What it said.
        reason: StartError,
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Archive(error) => error.fmt(f),
            Self::Start {
                stage,
                component,
                reason,
            } => {
                write!(f, "stage {stage}: {component} cannot start: {reason}")
            }
        }
    }
}

impl core::error::Error for Failure {}

/// Calls the `start` hook of every component that the manifest starts, in its order.
///
/// # Errors
///
/// When one fails whose stage is not optional. One of an optional stage is logged.
pub(crate) fn run(handover: &'static Handover) -> Result<(), Failure> {
    let archive = Archive::parse(handover.archive.as_slice()).map_err(Failure::Archive)?;
    for entry in handover.start_order.as_slice() {
        let Err(reason) = start(entry, handover) else {
            continue;
        };
        let stage = usize::try_from(entry.stage)
            .ok()
            .and_then(|index| archive.stages.get(index));
        let component = name_of(&archive, handover, entry);
        if stage.is_some_and(|stage| stage.optional != 0) {
            log::warn!("goes on without {component}: {reason}");
            continue;
        }
        let stage = stage.map_or("?", |stage| archive.text(stage.name));
        return Err(Failure::Start {
            stage,
            component,
            reason,
        });
    }
    Ok(())
}

/// Calls one component's `start` hook, if it has one.
fn start(entry: &StartEntry, handover: &'static Handover) -> Result<(), StartError> {
    if entry.hooks == 0 {
        return Ok(());
    }
    let hooks = entry.hooks as *const Hooks;
    // SAFETY: the nucleus found the address as that of the component's `COMPONENT` static, whose type
    // is `Hooks`, in pages that are mapped for as long as the component is loaded.
    let hooks = unsafe { &*hooks };
    hooks.start.map_or(Ok(()), |start| start(handover))
}

fn name_of(
    archive: &Archive<'static>,
    handover: &'static Handover,
    entry: &StartEntry,
) -> &'static str {
    let components = handover.components.as_slice();
    let component = usize::try_from(entry.component)
        .ok()
        .and_then(|index| components.get(index));
    let member = component.and_then(|component| archive.member(component.member).ok());
    member.map_or("?", |member| archive.text(member.name))
}
