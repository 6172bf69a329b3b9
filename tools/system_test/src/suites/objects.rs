//! Objects that are wrong, sent to a running system: each is refused by name, and changes nothing.

use crate::{
    failure::{Failure, Verdict, contains, ensure, equal},
    guest::Guest,
    plan::{Suite, Tests},
    pushing::{object, push, push_refused, refused, running},
};
use linker::{
    Symbols,
    format::metadata::{Class, ItemKind, Metadata},
};
use object::{Object as _, ObjectSection as _, SectionKind, elf::Rela64};
use runner::{Boot, Machine};
use serde_json::Value;
use std::ops::Range;

pub(crate) const SUITE: Suite = Suite {
    name: "objects",
    tests: Tests::Shared(
        || Machine {
            boot: Boot::Direct,
            ..Machine::default()
        },
        &[
            ("rubbish_is_refused", rubbish),
            ("a_truncated_object_is_refused", truncated),
            ("a_component_nobody_knows_is_refused", unknown),
            ("an_unknown_relocation_is_refused", unknown_relocation),
            ("a_relocation_that_overflows_is_refused", overflow),
            ("a_missing_symbol_is_refused", missing),
            ("a_duplicate_symbol_is_refused", duplicate),
            ("an_import_of_another_shape_is_refused", other_import),
            ("another_toolchains_object_is_refused", other_toolchain),
            ("a_survivor_of_another_build_is_refused", other_build),
            ("stale_lines_of_a_survivor_are_reported", stale_lines),
        ],
    ),
};

fn rubbish(guest: &mut Guest) -> Verdict {
    let reason = refused(guest, "klog", b"not an object at all".repeat(50))?;
    ensure(!reason.is_empty(), || "no reason".into())
}

fn truncated(guest: &mut Guest) -> Verdict {
    let whole = klog()?;
    for part in [1, 4, 7] {
        let cut = whole.get(..whole.len() * part / 8).unwrap_or_default();
        let reason = refused(guest, "klog", cut.to_vec())?;
        ensure(!reason.is_empty(), || "no reason".into())?;
    }
    Ok(())
}

fn unknown(guest: &mut Guest) -> Verdict {
    refused(guest, "nowhere", klog()?).map(drop)
}

fn unknown_relocation(guest: &mut Guest) -> Verdict {
    let mut bytes = klog()?;
    let first = relocations(&bytes)?;
    // The type is the low half of the second word.
    write(&mut bytes, first.start + 8, &99_u32.to_le_bytes())?;
    let reason = refused(guest, "klog", bytes)?;
    contains(&reason, ".text")?;
    contains(&reason, "unknown type 99")
}

fn overflow(guest: &mut Guest) -> Verdict {
    let mut bytes = klog()?;
    let first = relocations(&bytes)?;
    write(&mut bytes, first.start + 16, &(1_u64 << 40).to_le_bytes())?;
    let reason = refused(guest, "klog", bytes)?;
    contains(&reason, ".text")?;
    contains(&reason, "does not fit in 32 bits")
}

fn missing(guest: &mut Guest) -> Verdict {
    let mut bytes = klog()?;
    let key = key(&bytes, |class, name| {
        class == Class::Import && name.contains("set_logger")
    })?;
    rename(&mut bytes, key, !key)?;
    let reason = refused(guest, "klog", bytes)?;
    contains(&reason, "which nobody defines")
}

fn duplicate(guest: &mut Guest) -> Verdict {
    let mut bytes = klog()?;
    let ours = key(&bytes, |class, name| {
        class == Class::Function && name.contains("klog") && name.contains("statistics")
    })?;
    // One that nobody imports: an importer would see another shape of it, and be named instead.
    let theirs = key(&object("interrupts")?, |class, name| {
        class == Class::Function && name.contains("interrupts") && name.contains("9unhandled")
    })?;
    rename(&mut bytes, ours, theirs)?;
    let reason = refused(guest, "klog", bytes)?;
    contains(&reason, "both define")?;
    contains(&reason, "interrupts")
}

/// The object was compiled against another shape of what it imports than `clock` defines.
fn other_import(guest: &mut Guest) -> Verdict {
    let mut bytes = klog()?;
    let imported = key(&bytes, |class, name| {
        class == Class::Import && name.contains("now_ns")
    })?;
    let digest = with_metadata(&bytes, |metadata| {
        let item = metadata.item(ItemKind::Import, imported)?;
        (item.digest != 0).then_some(item.digest)
    })?;
    rename(&mut bytes, digest, !digest)?;
    let refused = push_refused(guest, "klog", bytes, &[])?;
    equal(refused.component.as_str(), "clock")?;
    contains(&refused.reason, "clock::now_ns")?;
    contains(&refused.reason, "klog")
}

/// What stays must be of the build that the object comes from.
fn other_build(guest: &mut Guest) -> Verdict {
    let build = running(guest)?;
    let mut other = build.clone();
    for identity in other.iter_mut().filter(|it| it.name == "console") {
        identity.content_id = !identity.content_id;
    }
    let mut without = build;
    without.retain(|identity| identity.name != "console");
    for (build, words) in [
        (other, "not of the new build"),
        (without, "no such component"),
    ] {
        let refused = push_refused(guest, "klog", klog()?, &build)?;
        equal(refused.component.as_str(), "console")?;
        contains(&refused.reason, words)?;
    }
    Ok(())
}

/// Only the lines in panic messages of what stays are of another build.
fn stale_lines(guest: &mut Guest) -> Verdict {
    let mut build = running(guest)?;
    for identity in build.iter_mut().filter(|it| it.name == "console") {
        identity.exact_id = !identity.exact_id;
    }
    let report = push(guest, "klog", klog()?, &build)?;
    equal(&report["ok"], &Value::Bool(true))?;
    equal(report["stale_lines"].to_string().as_str(), r#"["console"]"#)?;
    let undone = guest.json("swap --undo --json")?;
    equal(&undone["ok"], &Value::Bool(true))
}

fn other_toolchain(guest: &mut Guest) -> Verdict {
    let mut bytes = klog()?;
    let id = with_metadata(&bytes, |metadata| Some(metadata.header.toolchain))?;
    let (id, other) = (id.to_le_bytes(), (!id).to_le_bytes());
    let place = bytes.windows(id.len()).position(|window| window == id);
    let place = place.ok_or_else(|| Failure::Wrong("no toolchain id".into()))?;
    write(&mut bytes, place, &other)?;
    contains(&refused(guest, "klog", bytes)?, "another toolchain")
}

/// A build of `klog` that a push would take.
fn klog() -> Result<Vec<u8>, Failure> {
    object("klog=alternate")
}

/// Where the relocations of text lie in the file.
fn relocations(bytes: &[u8]) -> Result<Range<usize>, Failure> {
    let file = object::File::parse(bytes).map_err(|error| Failure::Wrong(error.to_string()))?;
    let section = file.sections().find(|section| {
        section.kind() == SectionKind::Metadata && section.name() == Ok(".rela.text")
    });
    let (start, size) = section
        .and_then(|section| section.file_range())
        .filter(|(_, size)| *size >= size_of::<Rela64<object::LittleEndian>>() as u64)
        .ok_or_else(|| Failure::Wrong("no relocations of text".into()))?;
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    Ok(number(start)..number(start.saturating_add(size)))
}

fn with_metadata<T>(
    bytes: &[u8],
    look: impl FnOnce(Metadata<'_>) -> Option<T>,
) -> Result<T, Failure> {
    let symbols = Symbols::parse(bytes).map_err(|error| Failure::Wrong(error.to_string()))?;
    let found = symbols.metadata().and_then(look);
    found.ok_or_else(|| Failure::Wrong("the object does not have it".into()))
}

/// The key of the first symbol with a name that `wanted` takes.
fn key(bytes: &[u8], wanted: impl Fn(Class, &str) -> bool) -> Result<u64, Failure> {
    let file = object::File::parse(bytes).map_err(|error| Failure::Wrong(error.to_string()))?;
    with_metadata(bytes, |metadata| {
        use object::ObjectSymbol as _;
        file.symbols().find_map(|symbol| {
            let record = metadata.symbols.get(symbol.index().0)?;
            let class = Class::from_number(record.class)?;
            wanted(class, symbol.name().ok()?).then_some(record.key)
        })
    })
}

/// Replaces a word, wherever it stands in the metadata.
fn rename(bytes: &mut [u8], old: u64, new: u64) -> Verdict {
    let mut found = false;
    for start in 0..bytes.len().saturating_sub(8) {
        if bytes.get(start..start + 8) == Some(&old.to_le_bytes()) {
            write(bytes, start, &new.to_le_bytes())?;
            found = true;
        }
    }
    ensure(found, || format!("the word {old:#x} is not there"))
}

fn write(bytes: &mut [u8], start: usize, new: &[u8]) -> Verdict {
    let place = bytes.get_mut(start..start + new.len());
    let place = place.ok_or_else(|| Failure::Wrong("outside the object".into()))?;
    place.copy_from_slice(new);
    Ok(())
}
