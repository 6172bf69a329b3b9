//! Compiles small crates the way components are compiled, and compares what two builds say.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::allow_attributes,
    dead_code,
    unreachable_pub,
    reason = "tests stop at what they did not expect, and each uses a part of this module"
)]

use digests::{Analysis, Item, analyse, key};
use linker::compare::{Comparison, compare};
use linker::format::metadata::{Header, Item as ItemRecord, MAGIC, Metadata, VERSION};
use linker::format::{Record as _, Span};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// The flags of every component.
const FLAGS: [&str; 26] = [
    "--target",
    "x86_64-unknown-linux-gnu",
    "--edition",
    "2024",
    "--crate-type",
    "rlib",
    "-C",
    "panic=unwind",
    "-C",
    "relro-level=off",
    "-C",
    "no-redzone=yes",
    "-C",
    "embed-bitcode=no",
    "-C",
    "symbol-mangling-version=v0",
    "-C",
    "llvm-args=-disable-nounwind-inference -mergefunc-use-aliases=false -mergefunc-preserve-debug-info",
    "-C",
    "codegen-units=1",
    "-C",
    "debuginfo=2",
    "-C",
    "metadata=test",
    "--cap-lints",
    "allow",
];

/// A crate that was compiled.
pub struct Build {
    pub name: &'static str,
    pub object: Vec<u8>,
    library: PathBuf,
}

/// A fresh folder.
fn folder() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("digests-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    path
}

impl Build {
    pub fn new(name: &'static str, source: &str) -> Self {
        Self::with(name, source, "2", None)
    }

    /// Compiles `source` against `uses`.
    pub fn with(name: &'static str, source: &str, opt: &str, uses: Option<&Self>) -> Self {
        let folder = folder();
        let path = folder.join("lib.rs");
        std::fs::write(&path, format!("#![no_std]\n{source}")).unwrap();
        let library = folder.join(format!("lib{name}.rlib"));
        let object = folder.join("object.o");
        let mut command = Command::new(std::env::var("RUSTC").unwrap_or("rustc".to_owned()));
        command
            .args(FLAGS)
            // Intermediate files are written there.
            .current_dir(&folder)
            .args(["--crate-name", name, "-C", &format!("opt-level={opt}")])
            .arg(format!(
                "--emit=obj={},link={}",
                object.display(),
                library.display()
            ))
            .arg(format!("--remap-path-prefix={}=/", folder.display()))
            .arg(&path);
        if let Some(uses) = uses {
            command.arg(format!("--extern={}={}", uses.name, uses.library.display()));
        }
        let output = command.output().unwrap();
        assert!(
            output.status.success(),
            "{source}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let object = std::fs::read(object).unwrap();
        Self {
            name,
            object,
            library,
        }
    }

    pub fn analysis(&self) -> Analysis {
        analyse(&self.object, self.name).unwrap()
    }

    pub fn items(&self) -> Vec<Item> {
        self.analysis().items
    }

    /// The comparison that the system makes when `new` is to follow this build.
    pub fn compared_with(&self, new: &Self) -> Comparison {
        let (old, new) = (metadata(&self.items()), metadata(&new.items()));
        compare(
            &Metadata::parse(&old).unwrap(),
            &Metadata::parse(&new).unwrap(),
        )
    }
}

impl Drop for Build {
    fn drop(&mut self) {
        if let Some(folder) = self.library.parent() {
            // What remains lies in the target folder and does no harm.
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

/// The metadata that the image builder would write, as far as comparing needs it.
fn metadata(items: &[Item]) -> Vec<u8> {
    let size = |length: usize| u32::try_from(length).unwrap();
    let mut strings = String::new();
    let mut put = |text: &str| {
        let span = Span {
            offset: size(strings.len()),
            count: size(text.len()),
        };
        strings.push_str(text);
        span
    };
    let mut records: Vec<ItemRecord> = items
        .iter()
        .map(|item| ItemRecord {
            key: key(&item.key_name),
            digest: item.digest,
            kind: item.kind as u32,
            name: put(&item.name),
            shape: put(&item.shape),
        })
        .collect();
    records.sort_by_key(|item| (item.kind, item.key));
    let table = Span {
        offset: size(Header::SIZE),
        count: size(records.len()),
    };
    let strings_at = Header::SIZE + records.len() * ItemRecord::SIZE;
    let mut bytes = Vec::new();
    // A header of zeros with what matters here set: it has more fields than this test knows.
    let mut header = Header::decode(&[0; Header::SIZE]).unwrap();
    header.magic = MAGIC;
    header.version = VERSION;
    header.length = size(strings_at + strings.len());
    header.items = table;
    header.strings = Span {
        offset: size(strings_at),
        count: size(strings.len()),
    };
    header.encode(&mut bytes);
    records.iter().for_each(|record| record.encode(&mut bytes));
    bytes.extend_from_slice(strings.as_bytes());
    bytes
}

/// `source` with its one `from` replaced by `to`.
pub fn edited(source: &str, from: &str, to: &str) -> String {
    assert_eq!(
        source.matches(from).count(),
        1,
        "one {from:?} in the source"
    );
    source.replace(from, to)
}
