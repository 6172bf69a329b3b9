//! Tests with objects that the compiler writes: they fail when a flag stops working or the compiler
//! starts to write something else.

use crate::{
    abi,
    elf::Object,
    merge::Merger,
    process::{Description, Processed, process},
    rlib,
    toolchain::{FLAGS, TARGET, Toolchain},
};
use linker::format::metadata::{self, Metadata};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

/// Flags without which the compiler merges functions with equal bodies.
const KEEP_APART: &str = "mergefunc";

/// The flag without which a leaf function that may fault counts as one that cannot unwind.
const MAY_UNWIND: &str = "nounwind-inference";

/// Compiles `source` as the crate `sample` with the builder's flags, but those that contain `without`.
fn compile(source: &str, without: &str) -> Sample {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("image-{}-{number}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("sample.rs"), source).unwrap();
    let status = Command::new("rustc")
        .current_dir(&folder)
        .args([
            "--crate-name=sample",
            "--crate-type=rlib",
            "--edition=2024",
            "sample.rs",
        ])
        .args([
            "--target",
            TARGET,
            "-Copt-level=2",
            "-Cdebuginfo=2",
            "-Ccodegen-units=1",
        ])
        .args(["-Cmetadata=sample", "-Cpanic=unwind"])
        .args(
            FLAGS
                .iter()
                .filter(|flag| without.is_empty() || !flag.contains(without)),
        )
        .status()
        .unwrap();
    assert!(status.success(), "the sample does not compile");
    Sample { folder }
}

struct Sample {
    folder: PathBuf,
}

impl Sample {
    fn process(&self) -> Processed {
        let library = fs::read(self.folder.join("libsample.rlib")).unwrap();
        let objects = rlib::objects("sample", &library).unwrap();
        let toolchain = toolchain();
        let merged = merged(&toolchain, &objects, &self.folder);
        let description = Description {
            crate_name: "sample",
            version: "0.1.0",
            flags: metadata::FIRST_PARTY,
            toolchain: toolchain.id,
            alone: true,
        };
        process(&merged, Some(objects[0].bytes), &description).unwrap()
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn toolchain() -> Toolchain {
    Toolchain::find(&root()).unwrap()
}

/// What the merger makes of `objects`, with their debug information.
fn merged(toolchain: &Toolchain, objects: &[rlib::Member<'_>], folder: &Path) -> Vec<u8> {
    let merger = Merger {
        linker: toolchain.linker(),
        script: root().join("cfg/object.ld"),
    };
    let merged = folder.join("merged.o");
    merger
        .merge("sample", objects, &folder.join("objects"), &merged)
        .unwrap();
    fs::read(&merged).unwrap()
}

/// The merged object of the crate `sample` that `source` is.
pub(crate) fn merged_sample(source: &str) -> Vec<u8> {
    let sample = compile(source, "");
    let library = fs::read(sample.folder.join("libsample.rlib")).unwrap();
    let objects = rlib::objects("sample", &library).unwrap();
    merged(&toolchain(), &objects, &sample.folder)
}

/// The merged object of a prebuilt crate.
pub(crate) fn merged_prebuilt(name: &str) -> Vec<u8> {
    let toolchain = toolchain();
    let library = fs::read(toolchain.prebuilt(name).unwrap()).unwrap();
    let objects = rlib::objects(name, &library).unwrap();
    let folder = std::env::temp_dir().join(format!("image-{name}-{}", std::process::id()));
    let folder = folder.join(format!("{:?}", std::thread::current().id()));
    fs::create_dir_all(&folder).unwrap();
    let merged = merged(&toolchain, &objects, &folder);
    fs::remove_dir_all(folder).unwrap();
    merged
}

impl Drop for Sample {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn violations(processed: &Processed) -> String {
    processed
        .summary
        .violations
        .iter()
        .map(|violation| format!("{violation}\n"))
        .collect()
}

fn key_of(processed: &Processed, name: &str) -> u64 {
    let exports = &processed.summary.exports;
    let found = exports
        .iter()
        .find(|export| digests::display_name(&export.symbol) == name);
    found.unwrap_or_else(|| panic!("no export {name}")).key
}

const TWINS: &str = "#![no_std]
    #[inline(never)] pub fn first(x: u64) -> u64 { x.wrapping_mul(37) ^ (x >> 7) }
    #[inline(never)] pub fn second(x: u64) -> u64 { x.wrapping_mul(37) ^ (x >> 7) }
";

#[test]
fn functions_with_equal_bodies_stay_apart() {
    assert_eq!(violations(&compile(TWINS, "").process()), "");
}

#[test]
fn merged_functions_are_refused_by_name() {
    // Without the flags, too, when LLVM makes the one call the other instead of an alias.
    let sample = compile(TWINS, KEEP_APART).process();
    let object = Object::read("sample", &sample.bytes).unwrap();
    let sizes: Vec<u64> = ["first", "second"]
        .map(|name| {
            object
                .symbols
                .iter()
                .find(|s| s.name.ends_with(name))
                .map_or(0, |s| s.size)
        })
        .into();
    let found = violations(&sample);
    assert!(
        found.contains("sample::first") || sizes[0] != sizes[1],
        "{found} {sizes:?}"
    );
}

#[test]
fn a_mutable_static_without_used_is_refused_by_name() {
    let source = |attribute: &str| {
        format!(
            "#![no_std]
            use core::sync::atomic::{{AtomicU64, Ordering}};
            {attribute} static COUNTER: AtomicU64 = AtomicU64::new(0);
            pub fn count() -> u64 {{ COUNTER.fetch_add(1, Ordering::Relaxed) }}"
        )
    };
    assert_eq!(violations(&compile(&source("#[used]"), "").process()), "");
    let found = violations(&compile(&source(""), "").process());
    assert!(
        found.contains("sample: ") && found.contains("COUNTER"),
        "{found}"
    );
}

#[test]
fn a_callers_landing_pad_survives_a_leaf_that_may_fault() {
    let source = "#![no_std]
        pub struct Guard<'a>(&'a core::sync::atomic::AtomicU32);
        impl Drop for Guard<'_> {
            fn drop(&mut self) { self.0.fetch_add(1, core::sync::atomic::Ordering::SeqCst); }
        }
        #[inline(never)] fn leaf(at: &u32) -> u32 { *at ^ 0x5a }
        pub fn caller(at: &u32, count: &core::sync::atomic::AtomicU32) -> u32 {
            let _guard = Guard(count);
            leaf(at)
        }
    ";
    let pads = |without| {
        let object = Object::read("sample", &compile(source, without).process().bytes).unwrap();
        object
            .section(".gcc_except_table")
            .map_or(0, |index| object.sections[index].size)
    };
    assert!(
        pads("") > 0,
        "the flag against nounwind inference does not work"
    );
    assert_eq!(
        pads(MAY_UNWIND),
        0,
        "the test does not show what the flag is for"
    );
}

#[test]
fn every_address_of_a_function_names_the_function() {
    let source = "#![no_std]
        #[inline(never)] fn private(x: u64) -> u64 { x.rotate_left(3) }
        #[inline(never)] pub fn taken() -> fn(u64) -> u64 { private }
        #[inline(never)] pub fn own() -> usize { own as fn() -> usize as usize }
        pub static TABLE: [fn(u64) -> u64; 1] = [private];
    ";
    let processed = compile(source, "").process();
    let object = Object::read("sample", &processed.bytes).unwrap();
    let named = |from: &str, to: &str| {
        let section = &object.sections[object.section(from).unwrap()];
        section.relocations.iter().any(|relocation| {
            let target = &object.symbols[relocation.symbol];
            let to_symbol = target.name.ends_with(to) && !target.is_section();
            to_symbol && relocation.kind != abi::sample::R_X86_64_PLT32
        })
    };
    assert!(named(".text", "7private"), "lea of a private function");
    assert!(named(".text", "3own"), "lea of the function itself");
    assert!(named(".rodata", "7private"), "table entry");
}

const LINES: &str = "#![no_std]
    #[inline(never)] pub fn element(list: &[u32], index: usize) -> u32 { list[index] }
";

#[test]
fn a_shifted_line_changes_the_exact_id_only() {
    let before = compile(LINES, "").process().summary.ids;
    let after = compile(&format!("// A comment.\n{LINES}"), "")
        .process()
        .summary
        .ids;
    assert_ne!(before.exact, after.exact);
    assert_eq!(before.content, after.content);
}

#[test]
fn a_changed_constant_changes_the_content_id() {
    let before = compile(LINES, "").process().summary.ids;
    let after = compile(&LINES.replace("list[index]", "list[index] + 1"), "")
        .process()
        .summary
        .ids;
    assert_ne!(before.content, after.content);
}

#[test]
fn an_inserted_impl_block_renames_nothing() {
    let source = "#![no_std]
        pub struct Thing(u32);
        impl Thing { #[inline(never)] pub fn get(&self) -> u32 { self.0 } }
    ";
    let inserted = source.replace(
        "impl Thing",
        "impl Thing { pub fn new() -> Self { Self(7) } }\nimpl Thing",
    );
    let name = "<sample::Thing>::get";
    let keys = [source, &inserted].map(|source| key_of(&compile(source, "").process(), name));
    assert_eq!(keys[0], keys[1]);
}

#[test]
fn the_metadata_covers_each_symbol_and_each_function_can_be_unwound() {
    use object::{Object as _, ObjectSection as _};
    let processed = compile(LINES, "").process();
    let file = object::File::parse(&*processed.bytes).unwrap();
    let section = file.section_by_name(metadata::SECTION).unwrap();
    let parsed = Metadata::parse(section.data().unwrap()).unwrap();
    assert_eq!((parsed.name, parsed.version), ("sample", "0.1.0"));
    assert!(
        parsed
            .frames
            .covering(0)
            .is_some_and(|frame| frame.length > 0)
    );
    assert!(
        parsed
            .items
            .iter()
            .any(|item| item.kind == metadata::ItemKind::Function as u32)
    );
}
