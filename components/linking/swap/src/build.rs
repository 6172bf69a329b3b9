//! Building the new versions beside the old ones. What is live is not touched: memory is fresh, and
//! the symbol map is a copy.

use crate::{
    Reason, Refusal, Step,
    history::Change,
    plan::{Parsed, Target},
    step::Meter,
};
use alloc::{string::ToString, sync::Arc, vec::Vec};
use linker::{
    ComponentId, Key, Layout, Object, Placement, SlotStore, StaticPlace, StaticStorage,
    format::metadata::{ItemKind, Metadata},
};
use loader::{Fresh, Live, LoadError, Loaded, PreparedTexts, SlotStores};

/// Everything that a commit needs. Dropping it forgets the swap.
pub(crate) struct Built {
    pub(crate) next: Arc<Live>,
    pub(crate) slots: SlotStores,
    pub(crate) texts: PreparedTexts,
    pub(crate) changes: Vec<Change>,
    pub(crate) kept_old: Vec<alloc::string::String>,
}

/// A new version in the making.
struct New<'p, 'a> {
    parsed: &'p Parsed<'a>,
    target: &'p Target,
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
    let entered = enter(&mut next, &new)?;
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
    let component = live.namespace.component(target.id);
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
    Ok(New {
        parsed,
        target,
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
    kept_old: Vec<alloc::string::String>,
}

/// Enters the new versions in the copy of the symbol map, all before the first is linked.
fn enter(next: &mut Live, new: &[New<'_, '_>]) -> Result<Entered, Refusal> {
    let ids: Vec<ComponentId> = new.iter().map(|it| it.target.id).collect();
    let mut entered = Entered::default();
    for (
        index,
        New {
            parsed,
            target,
            placement,
            ..
        },
    ) in new.iter().enumerate()
    {
        let pending = ids.get(index..).unwrap_or_default();
        let keeps_old = |key| target.keeps_old.contains_key(&key);
        let Parsed { object, layout, .. } = parsed;
        let replacement = next
            .namespace
            .replace(target.id, object, layout, placement, pending, keeps_old)
            .map_err(|error| Refusal::new(&parsed.found.name, Reason::Link(error)))?;
        entered.stores.extend(replacement.stores);
        for stub in replacement.kept {
            if let Some(stub) = next.namespace.stub(stub) {
                entered.kept_old.push(function_name(&target.old, stub.key));
            }
        }
    }
    Ok(entered)
}

/// The path of a function of a version, by its key.
pub(crate) fn function_name(loaded: &Loaded, key: Key) -> alloc::string::String {
    let named = |metadata: Metadata<'_>| {
        let item = metadata.item(ItemKind::Function, key.0)?;
        Some(metadata.strings.get(item.name)?.to_string())
    };
    loaded
        .metadata()
        .and_then(named)
        .filter(|name| !name.is_empty())
        .or_else(|| symbol_name(loaded, key))
        .unwrap_or_else(|| alloc::format!("{}: function {key}", loaded.name))
}

/// The path of a function that has no item: of a prebuilt object.
fn symbol_name(loaded: &Loaded, key: Key) -> Option<alloc::string::String> {
    let metadata = loaded.metadata()?;
    let index = metadata
        .symbols
        .iter()
        .position(|symbol| symbol.key == key.0)?;
    let symbols = loaded.symbols()?;
    let symbol = symbols.iter().find(|symbol| symbol.index == index)?;
    Some(loader::demangled(symbol.name))
}

fn link(next: &mut Live, new: &mut [New<'_, '_>]) -> Result<(), Refusal> {
    for New {
        parsed,
        target,
        placement,
        fresh,
    } in new
    {
        let Parsed {
            object,
            layout,
            found,
            ..
        } = parsed;
        let refuse = |error: LoadError| Refusal::new(&found.name, Reason::Load(error));
        let mut images = fresh.images(&found.name).map_err(refuse)?;
        next.namespace
            .link(target.id, object, layout, placement, &mut images)
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
    for New {
        parsed,
        target,
        placement,
        fresh,
    } in new
    {
        let loaded = version(parsed, target, placement, fresh)?;
        next.set_loaded(target.id, Some(Arc::clone(&loaded)));
        next.retired.push(Arc::clone(&target.old));
        changes.push(Change {
            id: target.id,
            old: Arc::clone(&target.old),
            new: loaded,
        });
    }
    for parsed in parsed {
        next.set_source(&parsed.found.name, parsed.found.bytes.clone());
    }
    finish(next, &entered.stores, changes, entered.kept_old)
}

/// The last preparations, which an undo needs too.
pub(crate) fn finish(
    next: Live,
    stores: &[SlotStore],
    changes: Vec<Change>,
    kept_old: Vec<alloc::string::String>,
) -> Result<Built, Refusal> {
    let slots =
        SlotStores::prepare(stores).map_err(|error| Refusal::new("swap", Reason::Load(error)))?;
    if !slots.slots_are_unchanged() {
        return Err(Refusal::new("swap", Reason::SlotChanged));
    }
    let texts = PreparedTexts::new(next.all_texts());
    Ok(Built {
        next: Arc::new(next),
        slots,
        texts,
        changes,
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
    Loaded::seal(bytes, object, layout, placement, fresh, target.old.data())
        .map(Arc::new)
        .map_err(|error| Refusal::new(&found.name, Reason::Load(error)))
}
