//! Replacing components while they run.
//!
//! [`swap`] prepares everything beside what runs: it parses, compares, checks every component that
//! stays, links the new versions into fresh memory with the statics that exist, and works out which
//! entry stubs lead where. Until then nothing live has been touched, and a refusal needs no undo. The
//! commit is a handful of stores while all other CPUs are parked. The old code stays mapped; who is still in it
//! is reported.
//!
//! [`substitute()`] puts another component in charge of an interface instead, with its owner's help.
//!
//! Principles: a swap is made whole or not at all; a refusal names what differs and how; code is
//! replaced and state stays, so a static whose type changed is a reason to refuse.
//!
//! Lock order: the history, then the live namespace of `loader`.
//!
//! Neighbours: `linker` compares builds and links; `loader` owns what is live; the commands and the
//! push port are built on this. Left out: changing state, waiting for tasks to leave old code, and
//! freeing it.
#![no_std]

extern crate alloc;

mod build;
mod commit;
mod constants;
mod earlier;
mod find;
mod history;
mod holders;
mod names;
mod plan;
mod refusal;
mod report;
mod request;
mod step;
mod substitute;
mod undo;

use alloc::{string::String, sync::Arc, vec::Vec};
use build::Built;
use history::Change;
use loader::{LiveGuard, LoadError, ObjectBytesOf};
use plan::Remarks;
use step::Meter;
use task::KillDeferral;

pub use history::{PastSwap, history};
pub use refusal::{Reason, Refusal};
pub use report::{Report, TaskInRetired};
pub use request::{Identity, Item, Request, Source, member_name};
pub use step::{Step, fail_after};
pub use substitute::{InterfaceProblem, Substitution, substitute};

/// Swaps what `request` names, whole or not at all.
#[must_use]
pub fn swap(request: &Request) -> Report {
    perform(request).unwrap_or_else(Report::refused)
}

/// Loads the text and constants of the loaded component `name` anew, from the object that it was loaded
/// from. Its statics stay.
#[must_use]
pub fn reload(name: &str) -> Report {
    let loaded = loader::snapshot().map(|live| live.find(name).map(|(_, it)| Arc::clone(it)));
    let not_loaded = || LoadError::NotLoaded {
        component: String::from(name),
    };
    let source = match loaded.map(|it| it.ok_or_else(not_loaded)) {
        Ok(Ok(loaded)) => match loaded.bytes.received() {
            Some(object) => Source::Received(Arc::clone(object)),
            None => Source::Named(alloc::format!("{:032x}", loaded.exact_id)),
        },
        Ok(Err(error)) | Err(error) => return Report::refused(loading(error)),
    };
    swap(&Request {
        items: alloc::vec![Item {
            component: String::from(name),
            source,
        }],
        anew: true,
        ..Request::default()
    })
}

/// Takes the last swap back, or only says what that would do.
#[must_use]
pub fn undo(dry_run: bool) -> Report {
    perform_undo(dry_run).unwrap_or_else(Report::refused)
}

fn perform(request: &Request) -> Result<Report, Refusal> {
    let _whole = KillDeferral::new();
    let mut meter = Meter::new();
    let mut history = history::lock();
    let mut guard = loader::lock().map_err(loading)?;
    let archive = loader::archive().map_err(loading)?;
    let live = Arc::clone(guard.live().map_err(loading)?);
    let mut found = find::find(&archive, &request.items)?;
    find::complete(&live, &archive, request, &mut found)?;
    meter.done(Step::Find)?;
    let mut parsed = plan::parse(&live, &archive, request, &found)?;
    meter.done(Step::Parse)?;
    if parsed.is_empty() {
        return Ok(Report {
            dry_run: request.dry_run,
            ..Report::default()
        });
    }
    let mut remarks = Remarks::default();
    plan::compare_all(&mut parsed, &mut remarks)?;
    meter.done(Step::Compare)?;
    plan::check_survivors(&live, &archive, request, &parsed, &mut remarks)?;
    meter.done(Step::Survivors)?;
    let built = build::build(&live, &parsed, &mut meter)?;
    let swapped: Vec<String> = parsed.iter().map(|it| it.found.name.clone()).collect();
    let mut report = Report {
        swapped: swapped.clone(),
        kept_old: built.kept_old.clone(),
        initial_values: remarks.initial_values,
        stale_lines: remarks.stale_lines,
        next_run: parsed
            .iter()
            .filter(|it| it.targets.is_empty())
            .map(|it| it.found.name.clone())
            .collect(),
        dry_run: request.dry_run,
        ..Report::default()
    };
    let overrides = live.overrides.clone();
    let added = built.added.clone();
    drop(live);
    let changes = carry_out(&mut guard, built, &mut meter, &mut report)?;
    drop(guard);
    if !request.dry_run {
        history.push(swapped, changes, overrides);
        if let Err(error) = loader::start_components(&added) {
            log::warn!("{error}");
        }
    }
    Ok(report)
}

fn perform_undo(dry_run: bool) -> Result<Report, Refusal> {
    let _whole = KillDeferral::new();
    let mut meter = Meter::new();
    let mut history = history::lock();
    let transaction = history
        .transactions
        .last()
        .ok_or_else(|| Refusal::new("swap", Reason::NothingToUndo))?;
    if let Some(substitution) = &transaction.substitution {
        let report = substitute::undo(substitution, dry_run)?;
        if !dry_run {
            history.transactions.pop();
        }
        return Ok(report);
    }
    let mut guard = loader::lock().map_err(loading)?;
    let live = Arc::clone(guard.live().map_err(loading)?);
    let built = undo::prepare(&live, transaction, &mut meter)?;
    let mut report = Report {
        swapped: transaction.components.clone(),
        kept_old: built.kept_old.clone(),
        dry_run,
        ..Report::default()
    };
    drop(live);
    carry_out(&mut guard, built, &mut meter, &mut report)?;
    if !dry_run {
        history.transactions.pop();
    }
    Ok(report)
}

/// Commits what has been built, unless this is a rehearsal, and completes the report.
fn carry_out(
    guard: &mut LiveGuard,
    mut built: Built,
    meter: &mut Meter,
    report: &mut Report,
) -> Result<Vec<Change>, Refusal> {
    report.slots = built.slots.len();
    report.prepare_us = clock::ticks_to_ns(meter.total()) / 1000;
    if !report.dry_run {
        let before = cpu::timestamp();
        let old = commit::commit(guard, &mut built)
            .map_err(|error| Refusal::new(error.cpu, Reason::NotParked))?;
        meter.note(Step::Commit);
        report.commit_us = clock::ticks_to_ns(cpu::timestamp().saturating_sub(before)) / 1000;
        for change in &built.changes {
            change.old.set_retired(true);
            change.new.set_retired(false);
        }
        drop(old);
        let live = guard.live().map_err(loading)?;
        loader::registry::update(live);
        report.in_retired = holders::tasks_in_retired(live);
        report.retired_bytes = loader::retired_bytes(live);
    }
    report.ticks.clone_from(&meter.ticks);
    Ok(built.changes)
}

fn loading(error: LoadError) -> Refusal {
    Refusal::new("loader", Reason::Load(error))
}

/// The builds that run, or would be loaded next: what a push is compared with.
///
/// # Errors
///
/// Before the loader has started.
pub fn identities() -> Result<Vec<Identity>, LoadError> {
    let live = loader::snapshot()?;
    let archive = loader::archive()?;
    let mut found: Vec<Identity> = Vec::new();
    let mut add = |name: &str, version: &str, content_id, exact_id| {
        if !found.iter().any(|known: &Identity| known.name == name) {
            found.push(Identity {
                name: name.into(),
                version: version.into(),
                content_id,
                exact_id,
            });
        }
    };
    for (_, loaded) in live
        .all_loaded()
        .filter(|(_, loaded)| !loaded.is_application())
    {
        let (content_id, exact_id) = (loaded.content_id, loaded.exact_id);
        add(&loaded.name, &loaded.version, content_id, exact_id);
    }
    for ObjectBytesOf { name, bytes } in &live.overrides {
        if let Some(metadata) = linker::Symbols::parse(bytes)
            .ok()
            .and_then(|it| it.metadata())
        {
            let header = &metadata.header;
            add(name, metadata.version, header.content_id, header.exact_id);
        }
    }
    for member in archive
        .members
        .iter()
        .filter(|member| member.variant.count == 0)
    {
        add(
            archive.text(member.name),
            archive.text(member.version),
            member.content_id,
            member.exact_id,
        );
    }
    Ok(found)
}
