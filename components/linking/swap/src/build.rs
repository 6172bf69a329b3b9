//! Building the new versions beside the old ones. What is live is not touched: memory is fresh, and
//! the symbol map is a copy.

use crate::{
    Reason, Refusal, Step,
    history::Change,
    names::function_name,
    plan::{Parsed, Target},
    step::Meter,
};
use alloc::{string::String, sync::Arc, vec::Vec};
use linker::{ComponentId, Layout, Object, Placement, SlotStore, StaticPlace, StaticStorage};
use loader::{Fresh, Live, LoadError, Loaded, PreparedTexts, SlotStores};

/// Everything that a commit needs. Dropping it forgets the swap.
pub(crate) struct Built {
    pub(crate) next: Arc<Live>,
    pub(crate) slots: SlotStores,
    pub(crate) texts: PreparedTexts,
    pub(crate) changes: Vec<Change>,
    /// Components that were not linked before: to be started after the commit.
    pub(crate) added: Vec<ComponentId>,
    pub(crate) kept_old: Vec<String>,
}

/// A new version in the making.
struct New<'p, 'a> {
    parsed: &'p Parsed<'a>,
    target: &'p Target,
    /// Its number: that of what it replaces, else one that entering gives it.
    id: Option<ComponentId>,
    placement: Placement,
    fresh: Fresh,
}

/// Builds new versions of all targets.
pub(crate) fn build(
    live: &Live,
    parsed: &[Parsed<'_>],
    meter: &mut Meter,
) -> Result<Built, Refusal> {
    let mut new = Vec::new();
    for parsed in parsed {
        for target in &parsed.targets {
            new.push(allocate(live, parsed, target)?);
        }
    }
    meter.done(Step::Allocate)?;
    let mut next = Live::clone(live);
    let entered = enter(&mut next, &mut new)?;
    meter.done(Step::Enter)?;
    link(&mut next, &mut new)?;
    meter.done(Step::Link)?;
    let built = seal(next, parsed, new, entered)?;
    meter.done(Step::Seal)?;
    Ok(built)
}

/// Finds memory, and for each static its storage: the one that exists, or a new one.
fn allocate<'p, 'a>(
    live: &Live,
    parsed: &'p Parsed<'a>,
    target: &'p Target,
) -> Result<New<'p, 'a>, Refusal> {
    let layout = &parsed.layout;
    let name = &parsed.found.name;
    let component = target.id().and_then(|id| live.namespace.component(id));
    let known = component.map_or(&[][..], |component| &component.statics);
    let (places, data_size) = places(known, layout);
    let fresh = Fresh::allocate(name, layout, data_size)
        .map_err(|error| Refusal::new(name, Reason::Load(error)))?;
    let data = fresh.data_start();
    let statics = places
        .into_iter()
        .map(|place| match place {
            StaticPlace::New { offset, .. } => StaticPlace::New {
                address: data.wrapping_add(offset),
                offset,
            },
            kept @ StaticPlace::Kept { .. } => kept,
        })
        .collect();
    let placement = Placement {
        text: fresh.text_start(),
        rodata: fresh.rodata_start(),
        statics,
    };
    let id = target.id();
    Ok(New {
        parsed,
        target,
        id,
        placement,
        fresh,
    })
}

/// Where each static lives, with addresses of new ones still missing, and the size of the image for
/// the new ones. Storage is kept by key; the comparison has seen that its type is the same.
fn places(known: &[StaticStorage], layout: &Layout<'_>) -> (Vec<StaticPlace>, u64) {
    let mut size = 0_u64;
    let mut places = Vec::with_capacity(layout.statics.len());
    for entry in &layout.statics {
        let kept = known.iter().find(|storage| {
            !entry.key.is_none()
                && storage.key == entry.key
                && storage.size == entry.size
                && storage.address.is_multiple_of(entry.align)
        });
        places.push(match kept {
            Some(storage) => StaticPlace::Kept {
                address: storage.address,
            },
            None => {
                let offset = size.next_multiple_of(entry.align);
                size = offset.saturating_add(entry.size);
                StaticPlace::New { address: 0, offset }
            }
        });
    }
    (places, size)
}

/// What entering the new versions in the copy of the namespace has shown.
#[derive(Default)]
struct Entered {
    stores: Vec<SlotStore>,
    kept_old: Vec<String>,
}

/// Enters the new versions in the copy of the symbol map, all before the first is linked; those that
/// replace something first, because a symbol may have moved to one that is added.
fn enter(next: &mut Live, new: &mut [New<'_, '_>]) -> Result<Entered, Refusal> {
    let ids: Vec<ComponentId> = new.iter().filter_map(|it| it.id).collect();
    let mut entered = Entered::default();
    let mut pending = &*ids;
    for New {
        parsed,
        target,
        placement,
        ..
    } in &*new
    {
        let Some((id, old)) = &target.replaces else {
            continue;
        };
        let replacement = next
            .namespace
            .replace(*id, &parsed.object, &parsed.layout, placement, pending)
            .map_err(|error| Refusal::new(&parsed.found.name, Reason::Link(error)))?;
        pending = pending.get(1..).unwrap_or_default();
        entered.stores.extend(replacement.stores);
        for stub in replacement.kept {
            if let Some(stub) = next.namespace.stub(stub) {
                entered.kept_old.push(function_name(old, stub.function));
            }
        }
    }
    for New {
        parsed,
        id,
        placement,
        ..
    } in new.iter_mut().filter(|it| it.id.is_none())
    {
        let added = next
            .namespace
            .add(&parsed.object, &parsed.layout, placement, true);
        *id = Some(added.map_err(|error| Refusal::new(&parsed.found.name, Reason::Link(error)))?);
    }
    Ok(entered)
}

fn link(next: &mut Live, new: &mut [New<'_, '_>]) -> Result<(), Refusal> {
    for New {
        parsed,
        id,
        placement,
        fresh,
        ..
    } in new
    {
        let Parsed {
            object,
            layout,
            found,
            ..
        } = parsed;
        let Some(id) = *id else { continue };
        let refuse = |error: LoadError| Refusal::new(&found.name, Reason::Load(error));
        let mut images = fresh.images(&found.name).map_err(refuse)?;
        next.namespace
            .link(id, object, layout, placement, &mut images)
            .map_err(|error| Refusal::new(&found.name, Reason::Link(error)))?;
    }
    Ok(())
}

/// Protects the new text and gets everything ready, so that nothing in the commit can fail.
fn seal(
    mut next: Live,
    parsed: &[Parsed<'_>],
    new: Vec<New<'_, '_>>,
    entered: Entered,
) -> Result<Built, Refusal> {
    let refuse = |error: LoadError| Refusal::new("swap", Reason::Load(error));
    // Stubs made for the new versions: nothing leads to them before the commit.
    loader::write_fresh_stubs(&mut next.namespace).map_err(refuse)?;
    let mut changes = Vec::with_capacity(new.len());
    let mut added = Vec::new();
    for New {
        parsed,
        target,
        id,
        placement,
        fresh,
    } in new
    {
        let Some(id) = id else { continue };
        let loaded = version(parsed, target, placement, fresh)?;
        next.set_loaded(id, Some(Arc::clone(&loaded)));
        match target.old() {
            Some(old) => {
                next.retired.push(Arc::clone(old));
                changes.push(Change {
                    id,
                    old: Arc::clone(old),
                    new: loaded,
                });
            }
            None => added.push(id),
        }
    }
    for parsed in parsed {
        next.set_source(&parsed.found.name, parsed.found.bytes.clone());
    }
    let built = finish(next, &entered.stores, changes, entered.kept_old)?;
    Ok(Built { added, ..built })
}

/// The last preparations, which an undo needs too.
pub(crate) fn finish(
    next: Live,
    stores: &[SlotStore],
    changes: Vec<Change>,
    kept_old: Vec<String>,
) -> Result<Built, Refusal> {
    let slots =
        SlotStores::prepare(stores).map_err(|error| Refusal::new("swap", Reason::Load(error)))?;
    if !slots.slots_are_unchanged() {
        return Err(Refusal::new("swap", Reason::SlotChanged));
    }
    let texts = PreparedTexts::new(next.all_texts());
    let added = Vec::new();
    Ok(Built {
        next: Arc::new(next),
        slots,
        texts,
        changes,
        added,
        kept_old,
    })
}

fn version(
    parsed: &Parsed<'_>,
    target: &Target,
    placement: Placement,
    fresh: Fresh,
) -> Result<Arc<Loaded>, Refusal> {
    let Parsed {
        found,
        object,
        layout,
        ..
    } = parsed;
    let object: &Object<'_> = object;
    let bytes = found.bytes.clone();
    let kept = target.old().map_or(&[][..], |old| old.data());
    Loaded::seal(bytes, object, layout, placement, fresh, kept)
        .map(Arc::new)
        .map_err(|error| Refusal::new(&found.name, Reason::Load(error)))
}
