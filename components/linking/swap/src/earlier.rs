//! What earlier builds have left behind: objects behind `dyn`, made from types and traits as they were
//! then. The comparison of builds sees the last one only, and items that both name; here every
//! version that is still mapped is asked about what its objects count on.

use crate::{Reason, Refusal, plan::Parsed};
use alloc::{format, string::String, vec::Vec};
use linker::{
    ComponentId,
    format::metadata::{Item, ItemKind, Metadata},
};
use loader::Live;

/// Traits of the toolchain by which an object can be had back as its type. A `TypeId` knows the
/// type's path and not its shape.
const DOWNCASTABLE: [&str; 2] = ["core::any::Any", "core::error::Error"];

/// Refuses objects that see a trait, or a type that can be downcast to, otherwise than a version whose
/// objects may be alive.
pub(crate) fn check(
    live: &Live,
    parsed: &[Parsed<'_>],
    replaced: &[ComponentId],
) -> Result<(), Refusal> {
    let survivors = live.all_loaded().filter(|(id, _)| !replaced.contains(id));
    let survivors: Vec<Metadata<'_>> = survivors
        .filter_map(|(_, loaded)| loaded.metadata())
        .collect();
    let build = Build {
        objects: parsed.iter().map(|it| &it.object.metadata).collect(),
        survivors: survivors.iter().collect(),
    };
    let going = parsed
        .iter()
        .flat_map(|it| &it.targets)
        .filter_map(|target| target.old());
    let versions = live.retired.iter().chain(going);
    for metadata in versions.filter_map(|version| version.metadata()) {
        build.check(&metadata)?;
    }
    Ok(())
}

/// What runs after the swap.
struct Build<'b, 'm> {
    /// The new objects.
    objects: Vec<&'b Metadata<'m>>,
    survivors: Vec<&'b Metadata<'m>>,
}

impl Build<'_, '_> {
    /// Checks what the objects of `version` count on.
    fn check(&self, version: &Metadata<'_>) -> Result<(), Refusal> {
        for item in version.items.iter() {
            let name = version.strings.get(item.name).unwrap_or_default();
            match ItemKind::from_number(item.kind) {
                Some(ItemKind::Trait) => self.check_order(version, name, item)?,
                Some(ItemKind::Method) => self.check_equal("method", name, item)?,
                Some(ItemKind::Vtable) => self.check_downcast(version, name)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// The order of a trait's methods: it must be known if the crate that defines the trait changes.
    fn check_order(&self, version: &Metadata<'_>, name: &str, item: Item) -> Result<(), Refusal> {
        self.check_equal("trait", name, item)?;
        let home = name.split("::").next().unwrap_or_default();
        let changes = self.objects.iter().any(|object| object.name == home);
        let mut all = self.objects.iter().chain(&self.survivors);
        if changes && !all.any(|it| it.item(ItemKind::Trait, item.key).is_some()) {
            let what = format!(
                "trait `{name}` has no vtable in the new build, so the order of its methods may be another"
            );
            return Err(refuse(version.name, what));
        }
        Ok(())
    }

    fn check_equal(&self, kind: &str, name: &str, item: Item) -> Result<(), Refusal> {
        let Some(kind_of_item) = ItemKind::from_number(item.kind) else {
            return Ok(());
        };
        for object in &self.objects {
            let other = object.item(kind_of_item, item.key);
            if other.is_some_and(|other| other.digest != item.digest) {
                return Err(refuse(object.name, format!("{kind} `{name}` is another")));
            }
        }
        Ok(())
    }

    /// `<T as Any>::{vtable}`: a type of that name must have that shape.
    fn check_downcast(&self, version: &Metadata<'_>, name: &str) -> Result<(), Refusal> {
        let split = |trait_: &&str| {
            let inner = name.strip_prefix('<')?.strip_suffix(">::{vtable}")?;
            inner.strip_suffix(*trait_)?.strip_suffix(" as ")
        };
        let Some(type_name) = DOWNCASTABLE.iter().find_map(split) else {
            return Ok(());
        };
        let Some(shape) = type_of(version, type_name) else {
            return Ok(());
        };
        for object in &self.objects {
            let other = type_of(object, type_name);
            if other.is_some_and(|other| other.digest != shape.digest) {
                let what = format!("type `{type_name}`, which can be downcast to, is another");
                return Err(refuse(object.name, what));
            }
        }
        Ok(())
    }
}

fn type_of(metadata: &Metadata<'_>, name: &str) -> Option<Item> {
    metadata.items.iter().find(|item| {
        item.kind == ItemKind::Type as u32 && metadata.strings.get(item.name) == Some(name)
    })
}

fn refuse(component: &str, what: String) -> Refusal {
    Refusal::new(component, Reason::Alive { what })
}
