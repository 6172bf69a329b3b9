//! Edits of a component, of which some fit what runs and some do not.

use super::Workshop;
use crate::{
    copy,
    failure::{Failure, Verdict, contains, ensure, equal},
    guest::Guest,
};
use serde_json::Value;

/// An edit of a source file.
struct Edit {
    /// What it does, for a person.
    name: &'static str,
    /// The text that it replaces.
    old: &'static str,
    /// What stands there afterwards.
    new: &'static str,
    /// What a refusal must say; nothing for an edit that fits.
    refusal: &'static [&'static str],
}

/// The file that the edits are about.
const GADGET: &str = "tools/system_test/fixtures/gadget/src/lib.rs";

/// Edits that change what running code relies on.
const MISFITS: &[Edit] = &[
    Edit {
        name: "private field retyped",
        old: "    unit: u8,\n}",
        new: "    unit: i8,\n}",
        refusal: &["Reading", "unit"],
    },
    Edit {
        name: "field order that moves an offset",
        old: "    low: u32,\n    high: u32,\n",
        new: "    high: u32,\n    low: u32,\n",
        refusal: &["Reading", "low"],
    },
    Edit {
        name: "static retyped",
        old: "static READINGS: AtomicU64 = AtomicU64::new(0);",
        new: "static READINGS: core::sync::atomic::AtomicI64 = core::sync::atomic::AtomicI64::new(0);",
        refusal: &["READINGS"],
    },
    Edit {
        name: "static removed",
        old: "/// How often a reading was taken.\n#[used]\nstatic READINGS: AtomicU64 = AtomicU64::new(0);\n\n/// Takes a reading.\n#[inline(never)]\n#[must_use]\npub fn read() -> Reading {\n    READINGS.fetch_add(1, Ordering::Relaxed);\n",
        new: "/// Takes a reading.\n#[inline(never)]\n#[must_use]\npub fn read() -> Reading {\n",
        refusal: &["READINGS", "removed"],
    },
    Edit {
        name: "signature changed",
        old: "pub fn describe() -> String {",
        new: "pub fn describe() -> alloc::boxed::Box<str> {\n    describe_text().into()\n}\n\nfn describe_text() -> String {",
        refusal: &["describe"],
    },
    Edit {
        name: "signature of a private callback changed",
        old: "u16) -> u32",
        new: "u16) -> u64",
        refusal: &["scaled"],
    },
    Edit {
        name: "trait methods reordered",
        old: TRAIT,
        new: "    /// Twice that number.\n    fn twice(&self) -> u64 {\n        core::hint::black_box(2 * BUILD)\n    }\n    /// The number of the build that answers.\n    fn answer(&self) -> u64;\n",
        refusal: &["Answer"],
    },
];

const TRAIT: &str = "    /// The number of the build that answers.\n    fn answer(&self) -> u64;\n    /// Twice that number.\n    fn twice(&self) -> u64 {\n        core::hint::black_box(2 * BUILD)\n    }\n";

/// Edits such as everybody makes.
const ORDINARY: &[Edit] = &[
    fits(
        "new closure in a fresh function",
        END,
        "#[inline(never)]\npub fn map_builds() -> u64 {\n    (0..4).map(|number| number * BUILD).sum()\n}\n",
    ),
    fits(
        "new format type",
        END,
        "#[inline(never)]\npub fn debug() -> String {\n    format!(\"{:>9.3?}\", (BUILD as u8, 2.5_f32))\n}\n",
    ),
    fits(
        "new pub function",
        END,
        "#[inline(never)]\npub fn thrice() -> u64 {\n    core::hint::black_box(3 * BUILD)\n}\n",
    ),
    fits(
        "new static",
        END,
        "#[used]\nstatic FRESH: AtomicU64 = AtomicU64::new(7);\n#[inline(never)]\npub fn fresh() -> u64 {\n    FRESH.load(Ordering::Relaxed)\n}\n",
    ),
    fits(
        "new type",
        END,
        "#[derive(Debug)]\npub struct Fresh(pub u64, pub bool);\n#[inline(never)]\npub fn make_fresh() -> Fresh {\n    Fresh(BUILD, true)\n}\n",
    ),
    fits(
        "changed body",
        "u64::from(low) + u64::from(high)",
        "(u64::from(low) + 1) * (u64::from(high) + 2)",
    ),
    fits("changed message", "reading {low} to", "a reading {low} to"),
    fits(
        "removed private function",
        "    sum(low, high)\n}\n\n#[inline(never)]\nfn sum(low: u32, high: u32) -> u64 {\n    u64::from(low) + u64::from(high)\n}\n",
        "    u64::from(low) + u64::from(high)\n}\n",
    ),
    fits(
        "added comment",
        "/// Says what the last reading was.\n",
        "/// Says what the last reading was.\n// A line more.\n",
    ),
    fits(
        "new test",
        END,
        "#[cfg(test)]\nmod tests {\n    #[test]\n    fn builds() {\n        assert_eq!(super::build(), super::BUILD);\n    }\n}\n",
    ),
    fits(
        "changed constant",
        "core::hint::black_box(2 * BUILD)",
        "core::hint::black_box(4 * BUILD)",
    ),
    fits(
        "new dependency function",
        END,
        "#[inline(never)]\npub fn ways() -> usize {\n    gadget_board::Way::Twin.name().len() + gadget_board::observation().seen.len()\n}\n",
    ),
];

/// The end of the file, after which an edit may add something.
const END: &str = "// The end.\n";

const fn fits(name: &'static str, old: &'static str, new: &'static str) -> Edit {
    Edit {
        name,
        old,
        new,
        refusal: &[],
    }
}

/// The components whose statics must be what they were.
const HASH: &str = "swap --state-hash gadget gadget_holder";

pub(super) fn all() -> Verdict {
    copy::with(|root| {
        let workshop = Workshop::at(root);
        let mut guest = Guest::boot(workshop.tree.machine()?)?;
        let mut failures = Vec::new();
        for edit in MISFITS.iter().chain(ORDINARY) {
            if let Err(failure) = attempt(&workshop, &mut guest, edit) {
                failures.push(format!("{}: {failure}", edit.name));
            }
        }
        ensure(failures.is_empty(), || failures.join("\n  "))
    })
}

fn attempt(workshop: &Workshop<'_>, guest: &mut Guest, edit: &Edit) -> Verdict {
    let added = edit.old == END;
    let before = if added {
        let before = workshop.edit(GADGET, "", "")?;
        workshop.restore(GADGET, &format!("{before}\n{}", edit.new))?;
        before
    } else {
        workshop.edit(GADGET, edit.old, edit.new)?
    };
    let verdict = push(workshop, guest, edit);
    workshop.restore(GADGET, &before)?;
    verdict
}

fn push(workshop: &Workshop<'_>, guest: &mut Guest, edit: &Edit) -> Verdict {
    let hash = guest.run(HASH)?;
    let report = workshop.tree.push(&guest.second_port(), 1)?;
    if edit.refusal.is_empty() {
        ensure(report["ok"] == true, || format!("refused: {report}"))?;
        return take_back(guest, &report);
    }
    refused(&report, edit.refusal)?;
    equal(guest.run(HASH)?, hash)
}

/// The next edit is one of the first build again.
fn take_back(guest: &mut Guest, report: &Value) -> Verdict {
    if report["swapped"].as_array().is_none_or(Vec::is_empty) {
        return Ok(());
    }
    let undone = guest.json("swap --undo --json")?;
    ensure(undone["ok"] == true, || format!("not taken back: {undone}"))
}

fn refused(report: &Value, words: &[&str]) -> Result<(), Failure> {
    ensure(report["ok"] == false, || format!("accepted: {report}"))?;
    let reason = report["refused"].to_string();
    words.iter().try_for_each(|word| contains(&reason, word))
}
