//! Comparisons of metadata that is written here by hand.

use super::*;
use crate::format::metadata::{Header, MAGIC, SECTION, VERSION};
use crate::format::{Record, Span};
use alloc::format;

/// One item: kind, key, digest, name, shape.
pub(crate) type Row = (ItemKind, u64, u64, &'static str, &'static str);

pub(crate) fn metadata(flags: u32, exact_id: u128, rows: &[Row]) -> Vec<u8> {
    let mut strings = Vec::new();
    let mut put = |text: &str| {
        let span = Span {
            offset: u32::try_from(strings.len()).unwrap(),
            count: u32::try_from(text.len()).unwrap(),
        };
        strings.extend_from_slice(text.as_bytes());
        span
    };
    let mut items: Vec<Item> = rows
        .iter()
        .map(|&(kind, key, digest, name, shape)| Item {
            key,
            digest,
            kind: kind as u32,
            name: put(name),
            shape: put(shape),
        })
        .collect();
    items.sort_by_key(|item| (item.kind, item.key));
    let table = Span {
        offset: u32::try_from(Header::SIZE).unwrap(),
        count: u32::try_from(items.len()).unwrap(),
    };
    let pool = Span {
        offset: u32::try_from(Header::SIZE + items.len() * Item::SIZE).unwrap(),
        count: u32::try_from(strings.len()).unwrap(),
    };
    let header = Header {
        magic: MAGIC,
        version: VERSION,
        length: pool.offset + pool.count,
        toolchain: 7,
        exact_id,
        content_id: exact_id,
        flags,
        name: Span::EMPTY,
        crate_version: Span::EMPTY,
        component_symbol: 0,
        application_symbol: 0,
        symbols: Span::EMPTY,
        items: table,
        frames: Span::EMPTY,
        strings: pool,
    };
    let mut bytes = Vec::new();
    header.encode(&mut bytes);
    items.iter().for_each(|item| item.encode(&mut bytes));
    bytes.extend_from_slice(&strings);
    bytes
}

fn compared(old: &[Row], new: &[Row]) -> Comparison {
    let (old, new) = (metadata(0, 1, old), metadata(0, 2, new));
    compare(
        &Metadata::parse(&old).unwrap(),
        &Metadata::parse(&new).unwrap(),
    )
}

fn how(old: &'static str, new: &'static str) -> String {
    let comparison = compared(
        &[(ItemKind::Type, 1, 1, "a::T", old)],
        &[(ItemKind::Type, 1, 2, "a::T", new)],
    );
    comparison.differences.into_iter().next().unwrap().how
}

#[test]
fn the_same_build_fits() {
    let rows = [(ItemKind::Type, 1, 5, "a::T", "struct {} size 0")];
    let comparison = compared(&rows, &rows);
    assert!(comparison.fits());
    assert_eq!(comparison, Comparison::default());
    assert_eq!(SECTION, ".strake");
}

#[test]
fn a_retyped_field_is_named_before_those_that_it_moved() {
    assert_eq!(
        how(
            "struct { a: u32 @0, b: u64 @8 } size 16 align 8",
            "struct { b: u32 @0, a: u32 @4 } size 8 align 4"
        ),
        "field `b` was u64 @8, is u32 @0"
    );
}

#[test]
fn fields_that_came_went_or_moved_are_named() {
    assert_eq!(
        how("struct { a: u8 @0 } size 1", "struct {} size 0"),
        "field `a`, u8 @0, is gone"
    );
    assert_eq!(
        how("struct {} size 0", "struct { a: u8 @0 } size 1"),
        "field `a`, u8 @0, is new"
    );
    assert_eq!(
        how(
            "struct { a: u8 @0, b: u8 @1 } size 2",
            "struct { b: u8 @0, a: u8 @1 } size 2"
        ),
        "field `a` was u8 @0, is u8 @1"
    );
    assert_eq!(
        how("struct {} size 0 align 1", "struct {} size 0 align 8"),
        "was size 0 align 1, is size 0 align 8"
    );
}

#[test]
fn commas_inside_a_type_divide_nothing() {
    assert_eq!(
        how(
            "struct { f: fn(u8, u16) -> u8 @0, m: Map<u8, (u8, u8)> @8 } size 16",
            "struct { f: fn(u8, u16) -> u8 @0, m: Map<u8, (u8, u9)> @8 } size 16"
        ),
        "field `m` was Map<u8, (u8, u8)> @8, is Map<u8, (u8, u9)> @8"
    );
}

#[test]
fn variants_parameters_results_and_methods_are_named() {
    assert_eq!(
        how(
            "enum(u8 @0) { A = 0, B { __0: u8 @1 } = 1 } size 2",
            "enum(u8 @0) { A = 0 } size 2"
        ),
        "variant `B` is gone"
    );
    assert_eq!(
        how("enum(u8) { X = 1 } size 1", "enum(u8) { X = 2 } size 1"),
        "variant `X` was X = 1, is X = 2"
    );
    assert_eq!(
        how("fn(u8, &a::T) -> u8", "fn(u8, &a::U) -> u8"),
        "parameter 2 was &a::T, is &a::U"
    );
    assert_eq!(
        how("fn(fn(u8) -> u8)", "fn(fn(u8) -> u8) -> u8"),
        "result was (), is u8"
    );
    assert_eq!(
        how(
            "dyn order: [drop, size 8, align 8, F::a, F::b]",
            "dyn order: [drop, size 8, align 8, F::b, F::a]"
        ),
        "entry 3 was F::a, is F::b"
    );
}

#[test]
fn a_removed_static_is_refused_and_a_removed_function_kept() {
    let comparison = compared(
        &[
            (ItemKind::Static, 1, 1, "a::S", "u32 size 4"),
            (ItemKind::Function, 2, 1, "a::f", "fn()"),
        ],
        &[(ItemKind::Function, 3, 1, "a::g", "fn()")],
    );
    assert!(!comparison.fits());
    assert_eq!(comparison.differences.len(), 1);
    assert_eq!(
        format!("{}", comparison.differences[0]),
        "static `a::S`: static removed"
    );
    assert_eq!(comparison.vanished_functions, ["a::f"]);
    assert_eq!(comparison.added, ["a::g"]);
}

#[test]
fn another_static_of_one_name_is_refused() {
    let row = |key| (ItemKind::Static, key, 1, "a::f::N", "u32 size 4");
    let comparison = compared(&[row(1)], &[row(1), row(2)]);
    assert_eq!(
        format!("{}", comparison.differences[0]),
        "static `a::f::N`: statics of this name: 1 before, 2 now"
    );
    assert!(compared(&[row(1), row(2)], &[row(1), row(2)]).fits());
}

#[test]
fn values_and_closures_are_reported_only() {
    let comparison = compared(
        &[
            (ItemKind::InitialValue, 1, 1, "a::S", ""),
            (ItemKind::Closures, 2, 1, "a::f", "1 closure"),
            (ItemKind::Function, 3, 1, "a::f::{closure#0}", "fn()"),
        ],
        &[
            (ItemKind::InitialValue, 1, 2, "a::S", ""),
            (ItemKind::Closures, 2, 2, "a::f", "2 closures"),
            (ItemKind::Function, 3, 2, "a::f::{closure#0}", "fn(u8)"),
        ],
    );
    assert!(comparison.fits());
    assert_eq!(comparison.changed_initial_values, ["a::S"]);
    assert_eq!(comparison.changed_closures, ["a::f"]);
}

#[test]
fn the_type_that_a_difference_comes_from_is_named() {
    let outer = "struct { i: *const a::Inner @0 } size 8 align 8";
    let comparison = compared(
        &[
            (ItemKind::Type, 1, 1, "a::Outer", outer),
            (
                ItemKind::Type,
                2,
                1,
                "a::Inner",
                "struct { b: u64 @0 } size 8 align 8",
            ),
            (ItemKind::Type, 3, 1, "a::Inn", "struct {} size 0 align 1"),
            (ItemKind::Function, 4, 1, "a::f", "fn(&a::Outer)"),
        ],
        &[
            (ItemKind::Type, 1, 2, "a::Outer", outer),
            (
                ItemKind::Type,
                2,
                2,
                "a::Inner",
                "struct { b: u32 @0 } size 4 align 4",
            ),
            (
                ItemKind::Type,
                3,
                2,
                "a::Inn",
                "struct { x: u8 @0 } size 1 align 1",
            ),
            (ItemKind::Function, 4, 2, "a::f", "fn(&a::Outer)"),
        ],
    );
    let function = comparison
        .differences
        .iter()
        .find(|one| one.name == "a::f")
        .unwrap();
    assert_eq!(function.cause.as_deref(), Some("a::Inner"));
    assert_eq!(
        format!("{function}"),
        "function `a::f`: through `a::Inner`, field `b` was u64 @0, is u32 @0"
    );
}

#[test]
fn state_that_cannot_move_is_refused_unless_the_builds_are_the_same() {
    let rows = [(ItemKind::Static, 1, 0, "a::S", "")];
    let (one, two) = (
        metadata(STATE_NOT_TRANSFERABLE, 1, &rows),
        metadata(0, 2, &rows),
    );
    let (one, two) = (
        Metadata::parse(&one).unwrap(),
        Metadata::parse(&two).unwrap(),
    );
    assert!(compare(&one, &two).state_not_transferable);
    assert!(!compare(&one, &two).fits());
    assert!(compare(&one, &one).fits());
}

#[test]
fn odd_shapes_are_explained_without_a_panic() {
    for shape in [
        "",
        "struct",
        "struct {",
        "fn(",
        "fn)",
        "dyn [",
        "enum }",
        "struct { a: b } }",
        "é{é, é}",
    ] {
        for other in [
            "x",
            "struct { a: u8 @0 } size 1",
            "fn(u8)",
            "enum {}",
            "dyn [a]",
        ] {
            if shape != other {
                assert!(!explain_text(shape, other).is_empty());
            }
        }
    }
}

fn explain_text(old: &'static str, new: &'static str) -> String {
    how(old, new)
}
