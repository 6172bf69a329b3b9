//! Constants that a component that stays has taken from one that is replaced.
//!
//! Code reaches a function through its stub and a mutable static at its lasting address, but a
//! constant comes anew with each version: who stays goes on reading the old one.

use crate::{Reason, Refusal, names::symbol_name, plan::Parsed};
use linker::{ComponentId, Key, Object, constant::same_constant, format::metadata::Class};
use loader::Live;

/// Refuses when a component that stays reads a constant whose value changes.
pub(crate) fn check(
    live: &Live,
    parsed: &[Parsed<'_>],
    replaced: &[ComponentId],
) -> Result<(), Refusal> {
    for (id, survivor) in live.all_loaded().filter(|(id, _)| !replaced.contains(id)) {
        let Some(component) = live.namespace.component(id) else {
            continue;
        };
        if !replaced
            .iter()
            .any(|replaced| component.uses.contains_key(replaced))
        {
            continue;
        }
        let Some(metadata) = survivor.metadata() else {
            continue;
        };
        for symbol in metadata.symbols.iter() {
            let is_import =
                symbol.class == Class::Import as u16 || symbol.class == Class::WeakImport as u16;
            let export = live
                .namespace
                .export_of(Key(symbol.key))
                .filter(|_| is_import);
            let Some(export) = export.filter(|export| {
                export.class == Class::Constant && replaced.contains(&export.component)
            }) else {
                continue;
            };
            if !stays_the_same(live, parsed, export.component, Key(symbol.key)) {
                let definer = live.loaded(export.component);
                let constant = definer.and_then(|it| symbol_name(it, Key(symbol.key)));
                let constant = constant.unwrap_or_default();
                return Err(Refusal::new(&survivor.name, Reason::Constant { constant }));
            }
        }
    }
    Ok(())
}

fn stays_the_same(live: &Live, parsed: &[Parsed<'_>], id: ComponentId, key: Key) -> bool {
    let new = parsed
        .iter()
        .find(|it| it.targets.iter().any(|target| target.id() == Some(id)));
    let old = live
        .loaded(id)
        .and_then(|old| Object::parse(&old.bytes, None).ok());
    new.zip(old)
        .is_some_and(|(new, old)| same_constant(&old, &new.object, key))
}
