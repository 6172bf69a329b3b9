//! What a request means for what is linked now: which object takes the place of which component, and
//! whether it may. Only reads.

use crate::{Identity, Reason, Refusal, Request, constants, earlier, find::Found};
use alloc::{
    borrow::ToOwned,
    format,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};
use linker::{
    ComponentId, Layout, Object,
    compare::{Comparison, compare},
    format::{
        archive::Archive,
        metadata::{APPLICATION, Metadata},
    },
    survivor,
};
use loader::{Live, Loaded, policy};

/// An object of the request, checked.
pub(crate) struct Parsed<'a> {
    pub(crate) found: &'a Found,
    pub(crate) object: Object<'a>,
    pub(crate) layout: Layout<'a>,
    /// What it replaces: a component, or the instances of an application.
    pub(crate) targets: Vec<Target>,
}

/// What becomes of an object: it replaces a linked component, or is linked beside them.
pub(crate) struct Target {
    /// What it replaces; none if it is added.
    pub(crate) replaces: Option<(ComponentId, Arc<Loaded>)>,
}

impl Target {
    pub(crate) fn id(&self) -> Option<ComponentId> {
        self.replaces.as_ref().map(|(id, _)| *id)
    }

    pub(crate) fn old(&self) -> Option<&Arc<Loaded>> {
        self.replaces.as_ref().map(|(_, old)| old)
    }
}

/// What is to be said about a swap that is not a reason to refuse it.
#[derive(Default)]
pub(crate) struct Remarks {
    pub(crate) initial_values: Vec<String>,
    /// Components that stay, and whose lines in panic messages are not those of the new build.
    pub(crate) stale_lines: Vec<String>,
}

/// Parses the objects, checks origin and rights, and finds what each replaces. Leaves out those
/// whose build is there already.
pub(crate) fn parse<'a>(
    live: &Live,
    archive: &Archive<'_>,
    request: &Request,
    found: &'a [Found],
) -> Result<Vec<Parsed<'a>>, Refusal> {
    let mut parsed = Vec::with_capacity(found.len());
    for found in found {
        let refuse = |reason| Refusal::new(&found.name, reason);
        let object = Object::parse(&found.bytes, Some(archive.header.toolchain))
            .map_err(|error| refuse(Reason::Object(error)))?;
        if object.name() != found.name {
            return Err(refuse(Reason::OtherComponent {
                found: object.name().to_owned(),
            }));
        }
        policy::check(archive, &found.name, object.metadata.header.flags)
            .map_err(|error| refuse(Reason::Load(error)))?;
        let targets = match found.is_added {
            true => alloc::vec![Target { replaces: None }],
            false => targets(live, request, &object),
        };
        if targets.is_empty() && !changes_next_load(live, archive, request, &object)? {
            continue;
        }
        let layout = object.layout();
        parsed.push(Parsed {
            found,
            object,
            layout,
            targets,
        });
    }
    Ok(parsed)
}

/// The linked components that `object` replaces: those of its name with another exact id, or with any
/// when the same build is to be loaded anew.
fn targets(live: &Live, request: &Request, object: &Object<'_>) -> Vec<Target> {
    let target = |(id, old): (ComponentId, &Arc<Loaded>)| Target {
        replaces: Some((id, Arc::clone(old))),
    };
    let other_build = |(_, old): &(ComponentId, &Arc<Loaded>)| {
        request.anew || old.exact_id != object.metadata.header.exact_id
    };
    if object.metadata.has(APPLICATION) {
        let instances = live.instances(object.name()).filter(|_| request.instances);
        return instances.filter(other_build).map(target).collect();
    }
    live.find(object.name())
        .into_iter()
        .filter(other_build)
        .map(target)
        .collect()
}

/// Whether what is loaded next under the object's name is another build.
fn changes_next_load(
    live: &Live,
    archive: &Archive<'_>,
    request: &Request,
    object: &Object<'_>,
) -> Result<bool, Refusal> {
    let name = object.name();
    let exact_id = object.metadata.header.exact_id;
    if live
        .find(name)
        .is_some_and(|(_, loaded)| loaded.exact_id == exact_id)
    {
        return Ok(false);
    }
    if let Some(known) = live.overrides.iter().find(|known| known.name == name) {
        return Ok(exact_id_of(&known.bytes) != Some(exact_id));
    }
    match archive
        .find(name, "")
        .and_then(|member| archive.member(member).ok())
    {
        Some(member) => Ok(member.exact_id != exact_id),
        // A new component of a new build is loaded when something needs it.
        None if !request.build.is_empty() => Ok(true),
        None => Err(Refusal::new(name, Reason::Unknown)),
    }
}

fn exact_id_of(bytes: &[u8]) -> Option<u128> {
    let symbols = linker::Symbols::parse(bytes).ok()?;
    Some(symbols.metadata()?.header.exact_id)
}

/// Compares every object with the builds that it replaces.
pub(crate) fn compare_all(parsed: &mut [Parsed<'_>], remarks: &mut Remarks) -> Result<(), Refusal> {
    for Parsed {
        found,
        object,
        targets,
        ..
    } in parsed
    {
        for target in targets {
            let Some(old) = target.old().and_then(|old| old.metadata()) else {
                continue;
            };
            let comparison = compare(&old, &object.metadata);
            if let Some(reason) = objection(&comparison) {
                return Err(Refusal::new(&found.name, reason));
            }
            for name in &comparison.changed_initial_values {
                if !remarks.initial_values.contains(name) {
                    remarks.initial_values.push(name.clone());
                }
            }
        }
    }
    Ok(())
}

fn objection(comparison: &Comparison) -> Option<Reason> {
    if let Some(first) = comparison.differences.first() {
        let more = comparison.differences.len() - 1;
        let difference = match more {
            0 => first.to_string(),
            _ => format!("{first} (and {more} more)"),
        };
        return Some(Reason::Differs { difference });
    }
    if comparison.state_not_transferable {
        return Some(Reason::StateNotTransferable);
    }
    // The toolchain was compared when the object was parsed.
    None
}

/// Checks every linked component that stays against the new objects, and against the new build.
pub(crate) fn check_survivors(
    live: &Live,
    archive: &Archive<'_>,
    request: &Request,
    parsed: &[Parsed<'_>],
    remarks: &mut Remarks,
) -> Result<(), Refusal> {
    let replaced: Vec<ComponentId> = parsed
        .iter()
        .flat_map(|it| &it.targets)
        .filter_map(Target::id)
        .collect();
    for (id, survivor) in live.all_loaded().filter(|(id, _)| !replaced.contains(id)) {
        let exported = live
            .namespace
            .component(id)
            .is_some_and(|component| component.exported);
        if exported
            && !request.build.is_empty()
            && check_identity(request, survivor)?.exact_id != survivor.exact_id
        {
            remarks.stale_lines.push(survivor.name.clone());
        }
        let Some(metadata) = survivor.metadata() else {
            continue;
        };
        for Parsed { object, .. } in parsed {
            if object.name() != survivor.name {
                check_shapes(&metadata, &object.metadata)?;
            }
        }
    }
    for (index, one) in parsed.iter().enumerate() {
        for other in parsed.iter().skip(index + 1) {
            check_shapes(&one.object.metadata, &other.object.metadata)?;
        }
    }
    constants::check(live, parsed, &replaced)?;
    earlier::check(live, parsed, &replaced)?;
    check_loadable(live, archive, request, parsed)
}

fn check_shapes(survivor: &Metadata<'_>, new: &Metadata<'_>) -> Result<(), Refusal> {
    match survivor::conflict(survivor, new) {
        None => Ok(()),
        Some(conflict) => {
            let what = match conflict.name {
                "" => format!("{:?} {:016x}", conflict.kind, conflict.key),
                name => name.to_owned(),
            };
            let reason = Reason::Survivor {
                with: new.name.to_owned(),
                what,
            };
            Err(Refusal::new(survivor.name, reason))
        }
    }
}

/// The new build's identity of a component that stays; refused if it is not of that build.
fn check_identity<'r>(request: &'r Request, survivor: &Loaded) -> Result<&'r Identity, Refusal> {
    let found = survivor.content_id;
    let mut build = request.build.iter();
    let expected = build.find(|it| it.name == survivor.name && it.version == survivor.version);
    match expected {
        Some(identity) if identity.content_id == found => Ok(identity),
        other => {
            let expected = other.map(|identity| identity.content_id);
            let reason = Reason::NotOfTheBuild { found, expected };
            Err(Refusal::new(&survivor.name, reason))
        }
    }
}

/// What the archive would load later must be of the new build too.
fn check_loadable(
    live: &Live,
    archive: &Archive<'_>,
    request: &Request,
    parsed: &[Parsed<'_>],
) -> Result<(), Refusal> {
    for identity in &request.build {
        let name = &identity.name;
        let in_set = parsed.iter().any(|it| it.found.name == *name);
        let elsewhere =
            live.find(name).is_some() || live.overrides.iter().any(|known| known.name == *name);
        let Some(member) = archive
            .find(name, "")
            .and_then(|it| archive.member(it).ok())
        else {
            continue;
        };
        if !in_set
            && !elsewhere
            && archive.text(member.version) == identity.version
            && member.content_id != identity.content_id
        {
            let (found, expected) = (member.content_id, Some(identity.content_id));
            return Err(Refusal::new(
                name,
                Reason::NotOfTheBuild { found, expected },
            ));
        }
    }
    Ok(())
}
