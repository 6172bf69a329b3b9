//! What does not depend on how or where a crate was compiled, and what is said of its statics.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::allow_attributes,
    reason = "a test"
)]

mod support;

use digests::{ItemKind, StaticFault, analyse, key_name, panic_locations};
use std::collections::{BTreeMap, BTreeSet};
use support::{Build, edited};

const HELD: &str = include_str!("support/held.rs");

#[test]
fn two_builds_of_one_source_say_the_same() {
    let (one, two) = (Build::new("held", HELD), Build::new("held", HELD));
    assert_eq!(one.items(), two.items());
    assert_eq!(one.items(), one.items());
}

#[test]
fn digests_are_the_same_at_all_optimisation_levels() {
    let digests = |opt: &str| -> BTreeMap<_, _> {
        let items = Build::with("held", HELD, opt, None).items();
        // The crate's hash depends on the level; in components it is fixed.
        let key = |name: &str| {
            name.split_once('[').map_or(name.to_owned(), |(a, b)| {
                format!("{a}{}", b.split_once(']').map_or(b, |(_, rest)| rest))
            })
        };
        // How many closures leave a trace is up to the optimiser.
        items
            .into_iter()
            .filter(|item| !matches!(item.kind, ItemKind::Closures | ItemKind::InitialValue))
            .map(|item| ((item.kind, key(&item.key_name)), (item.digest, item.shape)))
            .collect()
    };
    let reference = digests("2");
    for opt in ["0", "1", "3"] {
        let other = digests(opt);
        let common: Vec<_> = reference
            .keys()
            .filter(|key| other.contains_key(key))
            .collect();
        assert!(common.len() > 20, "{common:#?}");
        for key in common {
            assert_eq!(reference[key], other[key], "{key:?} at level {opt}");
        }
    }
}

#[test]
fn every_item_occurs_once_and_all_defined_ones_have_a_shape() {
    let items = Build::new("held", HELD).items();
    let keys: BTreeSet<_> = items
        .iter()
        .map(|item| (item.kind, &item.key_name))
        .collect();
    assert_eq!(keys.len(), items.len());
    for item in items.iter().filter(|item| item.kind != ItemKind::Import) {
        assert!(!item.name.is_empty(), "{item:?}");
        assert_ne!(item.digest, 0, "{item:?}");
    }
    let shape = |name: &str| {
        items
            .iter()
            .find(|item| item.name == name)
            .unwrap()
            .shape
            .clone()
    };
    assert_eq!(
        shape("held::Inner"),
        "struct { hidden: u64 @0, first: u32 @8, second: u32 @12 } size 16 align 8"
    );
    assert_eq!(shape("held::weigh"), "fn(&held::Link, u32) -> u32");
    assert_eq!(
        shape("<held::Inner as held::Speak>::{vtable}"),
        "dyn order: [drop, size 16, align 8, held::Speak::hello, held::Speak::goodbye]"
    );
}

#[test]
fn an_import_has_the_key_of_its_definition() {
    let held = Build::new("held", HELD);
    let user = Build::with(
        "user",
        "pub fn f(l: &held::Link) -> u32 { held::weigh(l, 3) }",
        "2",
        Some(&held),
    );
    let defined: BTreeSet<_> = held.items().into_iter().map(|item| item.key_name).collect();
    let imports: Vec<_> = user
        .items()
        .into_iter()
        .filter(|item| item.kind == ItemKind::Import && item.key_name.contains("weigh"))
        .collect();
    assert_eq!(imports.len(), 1);
    assert!(defined.contains(&imports[0].key_name), "{imports:?}");
}

#[test]
fn statics_of_one_name_in_one_function_are_told_apart() {
    let build = Build::new(
        "held",
        "use core::sync::atomic::*;
         pub fn f() -> u32 {
             #[used] static N: AtomicU32 = AtomicU32::new(0);
             { #[used] static N: AtomicU32 = AtomicU32::new(1); N.fetch_add(1, Ordering::Relaxed); }
             N.fetch_add(1, Ordering::Relaxed)
         }",
    );
    let analysis = build.analysis();
    let keys: BTreeSet<_> = analysis
        .statics
        .iter()
        .map(|one| key_name(&one.linkage_name))
        .collect();
    assert_eq!(keys.len(), 2, "{keys:?}");
    assert!(
        analysis.static_problems.is_empty(),
        "{:?}",
        analysis.static_problems
    );
    assert!(
        analysis
            .statics
            .iter()
            .all(|one| one.global && one.size == 4)
    );
}

#[test]
fn statics_that_the_compiler_may_change_are_found() {
    let faults = |source: &str| {
        let problems = Build::new("held", source).analysis().static_problems;
        problems
            .into_iter()
            .map(|problem| (problem.name, problem.fault))
            .collect::<Vec<_>>()
    };
    let used = "use core::sync::atomic::*; #[used] static S: AtomicU32 = AtomicU32::new(1);
        #[inline(never)] pub fn f() -> u32 { S.fetch_add(1, Ordering::Relaxed) }";
    let fault = |fault| [("held::S".to_owned(), fault)];
    assert_eq!(faults(used), []);
    let local = used.replace("#[used]", "");
    assert_eq!(faults(&local), fault(StaticFault::LocalSymbol));
    // An inlinable function makes the symbol global, in this build.
    let global = local.replace("#[inline(never)]", "#[inline]");
    assert_eq!(faults(&global), fault(StaticFault::NotUsed));
    assert!(!StaticFault::NotUsed.loses_state());
    // Only read: the compiler takes its first value for a constant.
    let read = "pub struct C(core::cell::UnsafeCell<u32>); unsafe impl Sync for C {}
        static S: C = C(core::cell::UnsafeCell::new(1));
        #[inline(never)] pub fn f() -> u32 { unsafe { *S.0.get() } }";
    assert_eq!(faults(read), fault(StaticFault::NoSymbol));
    assert_eq!(faults(&read.replace("static S", "#[used] static S")), []);
    // Two fields: taken apart.
    let apart = "pub struct C(core::cell::UnsafeCell<(u32, u64)>); unsafe impl Sync for C {}
        static S: C = C(core::cell::UnsafeCell::new((1, 2)));
        #[inline(never)] pub fn f(x: u32) -> u32 { let t = unsafe { &mut *S.0.get() }; t.0 += x; t.0 }
        #[inline(never)] pub fn g(x: u64) -> u64 { let t = unsafe { &mut *S.0.get() }; t.1 += x; t.1 }";
    assert_eq!(faults(apart), fault(StaticFault::NoSymbol));
    assert_eq!(faults(&apart.replace("static S", "#[used] static S")), []);
    let mutable = "#[used] static mut S: [u8; 4] = [1; 4];
        #[inline(never)] pub fn f() -> u8 { unsafe { S[0] += 1; S[0] } }";
    assert_eq!(faults(mutable), []);
    assert_eq!(faults(&mutable.replace("#[used]", "")).len(), 1);
}

#[test]
fn constants_are_no_state() {
    let build = Build::new(
        "held",
        "pub static TABLE: [u32; 3] = [1, 2, 3]; pub static NAMES: &[&str] = &[\"a\", \"b\"];
         pub fn f(i: usize) -> u32 { TABLE[i] + NAMES[i].len() as u32 }",
    );
    let analysis = build.analysis();
    assert_eq!(analysis.statics, []);
    assert_eq!(analysis.static_problems, []);
}

#[test]
fn shifted_lines_are_all_in_panic_locations() {
    let source = "#[inline(never)] pub fn f(v: &[u8], i: usize) -> u8 { v[i] }
        #[inline(never)] pub fn g(v: Option<u8>) -> u8 { v.unwrap() }";
    let (one, two) = (
        Build::new("held", source),
        Build::new("held", &edited(source, "pub fn g", "\n\n\n pub fn g")),
    );
    let (places, moved) = (
        panic_locations(&one.object).unwrap(),
        panic_locations(&two.object).unwrap(),
    );
    assert_eq!(places.len(), 2);
    assert_eq!(places, moved);
}

#[test]
fn no_prefix_of_an_object_panics() {
    let build = Build::new(
        "held",
        "pub struct T { a: u8 } pub fn f(t: &T) -> u8 { t.a }",
    );
    let object = &build.object;
    for length in (0..object.len()).step_by(7) {
        let _ = analyse(&object[..length], "held");
        let _ = panic_locations(&object[..length]);
    }
    for position in (0..object.len()).step_by(3) {
        let mut mutated = object.clone();
        mutated[position] ^= 0x41;
        let _ = analyse(&mutated, "held");
        let _ = panic_locations(&mutated);
    }
}
