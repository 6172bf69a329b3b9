//! The objects of the image, linked by the linker's library and by `rust-lld`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::allow_attributes,
    reason = "a test may fail loudly"
)]

use linker::format::archive::Archive;
use oracle::{Input, Linker, Report, View, compare, link_ours, link_reference};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

struct Links {
    inputs: Vec<Input>,
    ours: View,
    reference: View,
}

/// The default members of the archive, each linked both ways.
fn links() -> &'static Links {
    static LINKS: OnceLock<Links> = OnceLock::new();
    LINKS.get_or_init(|| {
        let bytes = std::fs::read(archive_path()).unwrap();
        let archive = Archive::parse(&bytes).unwrap();
        let inputs: Vec<Input> = archive
            .members
            .iter()
            .zip(0..)
            .filter(|(member, _)| archive.text(member.variant).is_empty())
            .map(|(member, index)| Input {
                name: format!(
                    "{} {}",
                    archive.text(member.name),
                    archive.text(member.version)
                ),
                bytes: archive.object(index).unwrap().to_vec(),
            })
            .collect();
        assert!(inputs.len() > 30, "only {} members", inputs.len());
        let folder =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("oracle-{}", std::process::id()));
        let linker = Linker::of_toolchain(folder.clone()).unwrap();
        let ours = link_ours(&inputs).unwrap_or_else(|error| panic!("{error}"));
        let reference = link_reference(&inputs, &linker).unwrap_or_else(|error| panic!("{error}"));
        std::fs::remove_dir_all(folder).unwrap();
        Links {
            inputs,
            ours,
            reference,
        }
    })
}

/// The archive of this source, built now if it is not there or not the newest.
fn archive_path() -> PathBuf {
    if let Some(path) = std::env::var_os("STRAKE_ARCHIVE") {
        return path.into();
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let built = Command::new(env!("CARGO"))
        .args([
            "run",
            "--release",
            "--quiet",
            "-p",
            "image",
            "--",
            "build",
            "--keep-going",
        ])
        .current_dir(&root)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "the image does not build: {said}");
    root.join("build/strake.archive")
}

fn report(ours: &View) -> Report {
    let links = links();
    compare(&links.inputs, ours, &links.reference).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_relocation_leads_where_the_reference_leads() {
    let report = report(&links().ours);
    let first: Vec<_> = report
        .mismatches
        .iter()
        .take(20)
        .map(ToString::to_string)
        .collect();
    assert!(
        first.is_empty(),
        "{} mismatches: {first:#?}",
        report.mismatches.len()
    );
    assert!(report.relocations > 10_000, "{report:?}");
    assert!(report.through_stubs > 1_000, "{report:?}");
    println!(
        "{} objects, {} relocations, {} through stubs, {} through GOT words",
        links().inputs.len(),
        report.relocations,
        report.through_stubs,
        report.through_got
    );
}

/// Each planted error changes one word of our link; the comparison must name its place.
#[test]
fn a_planted_error_is_found() {
    let links = links();
    let mut planted = 0;
    for section in [".text", ".rodata", ".eh_frame", ".gcc_except_table"] {
        for (number, input) in links.inputs.iter().enumerate().step_by(7) {
            let Some((index, offset)) = some_relocation(input, section) else {
                continue;
            };
            let mut ours = links.ours.clone();
            let place = ours.start((number, index)).unwrap() + offset;
            // 16 bytes on: near enough to stay inside.
            let low = ours.bytes_mut(place, 4).unwrap();
            let value = u32::from_le_bytes(low.try_into().unwrap());
            low.copy_from_slice(&value.wrapping_add(16).to_le_bytes());
            let found = report(&ours).mismatches;
            let named = found.iter().any(|mismatch| {
                mismatch.object == input.name
                    && mismatch.section == section
                    && mismatch.offset == offset
            });
            assert!(
                named,
                "{} {section} + {offset:#x} was changed unseen",
                input.name
            );
            planted += 1;
        }
    }
    assert!(planted > 10, "only {planted} errors were planted");
}

#[test]
fn a_stub_that_leads_elsewhere_is_found() {
    let mut ours = links().ours.clone();
    let slot = ours.bytes_mut(handover::layout::STUBS + 8, 8).unwrap();
    slot[0] ^= 0x10;
    assert!(!report(&ours).mismatches.is_empty());
}

/// A relocation in the middle of a section: its section's index and its offset.
fn some_relocation(input: &Input, name: &str) -> Option<(usize, u64)> {
    use object::{Object as _, ObjectSection as _};
    let file = object::File::parse(input.bytes.as_slice()).ok()?;
    let section = file.section_by_name(name)?;
    let offsets: Vec<u64> = section.relocations().map(|(offset, _)| offset).collect();
    Some((section.index().0, *offsets.get(offsets.len() / 2)?))
}
