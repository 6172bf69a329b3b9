//! Edits of a crate, and whether the build after the edit may follow the one before.

#![allow(clippy::panic, clippy::allow_attributes, reason = "a test")]

mod support;

use support::{Build, edited};

const HELD: &str = include_str!("support/held.rs");
const HOLDER: &str = include_str!("support/holder.rs");

/// What must be refused: the edit, and what the refusal says.
struct Refused {
    from: &'static str,
    to: &'static str,
    says: &'static [&'static str],
    /// Whether who merely holds a type of the crate must differ too.
    holders_differ: bool,
}

fn refused(edit: &Refused) {
    let old = Build::new("held", HELD);
    let new = Build::new("held", &edited(HELD, edit.from, edit.to));
    let comparison = old.compared_with(&new);
    let told: Vec<String> = comparison
        .differences
        .iter()
        .map(|difference| difference.to_string())
        .collect();
    assert!(
        !comparison.fits(),
        "{} → {} must be refused",
        edit.from,
        edit.to
    );
    for says in edit.says {
        assert!(
            told.iter().any(|line| line == says),
            "{says:?} is not among {told:#?}"
        );
    }
    if edit.holders_differ {
        let old = Build::with("holder", HOLDER, "2", Some(&old));
        let new = Build::with("holder", HOLDER, "2", Some(&new));
        let comparison = old.compared_with(&new);
        assert!(
            !comparison.fits(),
            "{} → {}: the holder must differ",
            edit.from,
            edit.to
        );
    }
}

fn accepted(from: &str, to: &str) {
    let old = Build::new("held", HELD);
    let new = Build::new("held", &edited(HELD, from, to));
    let comparison = old.compared_with(&new);
    assert!(
        comparison.fits(),
        "{from} → {to}: {:#?}",
        comparison.differences
    );
    assert!(
        comparison.changed_closures.is_empty(),
        "{:#?}",
        comparison.changed_closures
    );
}

#[test]
fn a_private_field_retyped() {
    refused(&Refused {
        from: "    hidden: u64,",
        to: "    hidden: u32,",
        says: &[
            "type `held::Inner`: field `hidden` was u64 @0, is u32 @8",
            "type `held::Link`: field `inner` was held::Inner @0, is held::Inner @8",
            "function `held::weigh`: through `held::Link`, field `inner` was held::Inner @0, is held::Inner @8",
        ],
        holders_differ: true,
    });
}

#[test]
fn a_private_field_retyped_in_its_place() {
    refused(&Refused {
        from: "    hidden: u64,",
        to: "    hidden: i64,",
        says: &[
            "type `held::Inner`: field `hidden` was u64 @0, is i64 @0",
            "type `held::Link`: through `held::Inner`, field `hidden` was u64 @0, is i64 @0",
            "type `held::Choice`: through `held::Inner`, field `hidden` was u64 @0, is i64 @0",
            "vtable `<held::Inner as held::Speak>::{vtable}`: through `held::Inner`, field `hidden` was u64 @0, is i64 @0",
            "function `held::weigh`: through `held::Inner`, field `hidden` was u64 @0, is i64 @0",
        ],
        holders_differ: true,
    });
}

#[test]
fn a_field_order_that_moves_an_offset() {
    refused(&Refused {
        from: "    first: u32,\n    second: u32,",
        to: "    second: u32,\n    first: u32,",
        says: &["type `held::Inner`: field `first` was u32 @8, is u32 @12"],
        holders_differ: true,
    });
}

#[test]
fn a_variant_added() {
    refused(&Refused {
        from: "    Empty,",
        to: "    Empty,\n    Half(u32),",
        says: &["type `held::Choice`: variant `Half` is new"],
        holders_differ: true,
    });
}

#[test]
fn a_static_retyped() {
    refused(&Refused {
        from: "static OTHER: AtomicU64 = AtomicU64",
        to: "static OTHER: AtomicU32 = AtomicU32",
        says: &[
            "static `held::OTHER`: was core::sync::atomic::AtomicU64 size 8, \
                 is core::sync::atomic::AtomicU32 size 4",
        ],
        holders_differ: false,
    });
}

#[test]
fn a_static_removed() {
    refused(&Refused {
        from: "#[used]\nstatic OTHER: AtomicU64 = AtomicU64::new(0);",
        to: "",
        says: &["static `held::OTHER`: static removed"],
        holders_differ: false,
    });
}

#[test]
fn a_public_signature_changed() {
    refused(&Refused {
        from: "link: &Link, factor: u32",
        to: "link: &Link, factor: u32, _: u8",
        says: &[
            "function `held::weigh`: had 2 parameters, has 3: was fn(&held::Link, u32) -> u32, \
                 is fn(&held::Link, u32, u8) -> u32",
        ],
        holders_differ: false,
    });
}

#[test]
fn a_private_callbacks_signature_changed() {
    // The table keeps its type, so that nothing but the function tells.
    refused(&Refused {
        from: "u32 {\n    value * 7 + 1\n}\n\npub fn uses_helper(value: u32) -> u32 {",
        to: "u64 {\n    u64::from(value) * 7 + 1\n}\n\npub fn uses_helper(value: u32) -> u64 {",
        says: &["function `held::unused_helper`: result was u32, is u64"],
        holders_differ: false,
    });
}

#[test]
fn an_unnamed_parameter_of_a_private_callback_retyped() {
    let with = |parameter: &str| {
        edited(
            HELD,
            "fn on_event(value: u32) -> u32 {\n    COUNTER.fetch_add(value, ",
            &format!("fn on_event(_: {parameter}) -> u32 {{\n    COUNTER.fetch_add(1, "),
        )
        .replace(
            "function: UnsafeCell<fn(u32) -> u32>,",
            &format!("function: UnsafeCell<fn({parameter}) -> u32>,"),
        )
    };
    let (old, new) = (
        Build::new("held", &with("u32")),
        Build::new("held", &with("i32")),
    );
    let told = format!("{:#?}", old.compared_with(&new).differences);
    assert!(told.contains("parameter 1 was u32, is i32"), "{told}");
    assert!(told.contains("held::CALLBACK"), "{told}");
}

#[test]
fn trait_methods_reordered() {
    refused(&Refused {
        from: "    fn hello(&self) -> u32;\n    fn goodbye(&self) -> u32;",
        to: "    fn goodbye(&self) -> u32;\n    fn hello(&self) -> u32;",
        says: &["vtable `<held::Inner as held::Speak>::{vtable}`: \
                 entry 3 was held::Speak::hello, is held::Speak::goodbye"],
        // It calls no method. Who does has other code.
        holders_differ: false,
    });
}

#[test]
fn a_trait_method_added() {
    refused(&Refused {
        from: "    fn goodbye(&self) -> u32;",
        to: "    fn goodbye(&self) -> u32;\n    fn more(&self) -> u32 { 1 }",
        says: &["vtable `<held::Inner as held::Speak>::{vtable}`: had 5 entries, has 6"],
        holders_differ: true,
    });
}

#[test]
fn a_closures_environment_or_signature_changed_is_told() {
    let old = Build::new("held", HELD);
    let source = edited(
        HELD,
        "pub fn with_closure(base: u32) -> u32 {",
        "pub fn with_closure(base: u32) -> u32 {\n    let base = (base, 3_u64);",
    );
    let source = source.replace("value + base", "value + base.0 + base.1 as u32");
    let comparison = old.compared_with(&Build::new("held", &source));
    assert!(
        comparison
            .changed_closures
            .iter()
            .any(|name| name == "held::with_closure")
    );
    assert!(comparison.fits(), "{comparison:#?}");
}

macro_rules! accepted {
    ($($name:ident: $from:expr => $to:expr;)*) => {$(
        #[test]
        fn $name() {
            accepted($from, $to);
        }
    )*};
}

accepted! {
    a_new_closure_in_a_fresh_function:
        "pub fn message" => "pub fn fresh(k: u32) -> u32 { apply(&|v| v * k) }\n\npub fn message";
    a_new_format_type:
        "alloc::format!(\"value {value}\")"
        => "alloc::format!(\"value {value} {} {:?}\", u64::from(value) + 1, (1.5_f32, value == 3))";
    a_new_public_function:
        "pub fn message" => "pub fn added(a: u8, i: &Inner) -> u8 { a + i.first as u8 }\n\npub fn message";
    a_new_static:
        "pub struct Callback" => "#[used]\nstatic NEW: AtomicU64 = AtomicU64::new(9);\n\npub struct Callback";
    a_new_type:
        "pub fn message" => "pub struct Fresh { link: Link, c: Choice }\npub fn fresh(f: &Fresh) -> u32 { f.link.inner.second }\n\npub fn message";
    a_changed_body:
        "link.inner.first * factor" => "(link.inner.first ^ link.inner.second) * factor";
    a_changed_message:
        "\"value {value}\"" => "\"the value is {value}!\"";
    a_removed_private_function:
        "pub fn uses_helper(value: u32) -> u32 {\n    unused_helper(value)" => "pub fn uses_helper(value: u32) -> u32 {\n    value";
    an_added_comment:
        "pub fn message" => "// A comment\n// of two lines.\npub fn message";
    a_new_test:
        "pub fn message" => "#[cfg(test)]\nmod tests { #[test] fn it_works() {} }\n\npub fn message";
    a_changed_constant:
        "hidden: 3" => "hidden: 4";
    a_new_dependency_function:
        "    value * 7 + 1" => "    value.checked_mul(7).unwrap_or(1).rotate_left(3).pow(2)";
    an_inserted_impl_block:
        "impl Speak for Inner" => "impl Clone for Link { fn clone(&self) -> Self { Self { next: self.next, inner: Inner::new(1) } } }\nimpl Default for Inner { fn default() -> Self { Self::new((|| 4)()) } }\n\nimpl Speak for Inner";
}

#[test]
fn a_local_type_of_a_known_name_in_another_impl_block() {
    accepted(
        "impl Link {",
        "impl Inner {
            #[inline(never)]
            pub fn local(&self) -> Box<dyn Speak> {
                struct Local(u64);
                impl Speak for Local {
                    fn hello(&self) -> u32 { self.0 as u32 }
                    fn goodbye(&self) -> u32 { self.0 as u32 + 1 }
                }
                Box::new(Local(self.hidden))
            }
        }

        impl Link {",
    );
}

#[test]
fn a_changed_initial_value_is_reported_and_accepted() {
    let old = Build::new("held", HELD);
    let new = Build::new(
        "held",
        &edited(HELD, "AtomicU32::new(5)", "AtomicU32::new(6)"),
    );
    let comparison = old.compared_with(&new);
    assert!(comparison.fits(), "{:#?}", comparison.differences);
    assert_eq!(comparison.changed_initial_values, ["held::COUNTER"]);
}

#[test]
fn a_function_pointer_in_an_initial_value_is_known_by_name() {
    let old = Build::new("held", HELD);
    let new = Build::new(
        "held",
        &edited(
            HELD,
            "UnsafeCell::new(on_event)",
            "UnsafeCell::new(unused_helper)",
        ),
    );
    assert_eq!(
        old.compared_with(&new).changed_initial_values,
        ["held::CALLBACK"]
    );
}

#[test]
fn a_removed_function_keeps_its_code() {
    let old = Build::new("held", HELD);
    let new = Build::new(
        "held",
        &edited(HELD, "    unused_helper(value)", "    value"),
    );
    assert_eq!(
        old.compared_with(&new).vanished_functions,
        ["held::uses_helper", "held::unused_helper"]
    );
}
