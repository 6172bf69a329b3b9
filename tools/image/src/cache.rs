//! Objects that need no second processing: files named by the hash of all that they are made of.

use crate::{
    error::{Error, Result},
    files,
    merge::Merger,
    process::{Description, process},
    rlib,
    summary::Summary,
    unit::Unit,
};
use linker::format::metadata;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The cache, and what it needs to fill itself.
pub(crate) struct Cache {
    folder: PathBuf,
    merger: Merger,
    toolchain: u128,
    /// Hash of what goes into every object: the builder's own sources and the linker script.
    common: blake3::Hash,
    used: BTreeSet<String>,
}

/// A processed object in the cache.
pub struct Cached {
    /// The object that is loaded.
    pub object: PathBuf,
    /// Its twin with debug information.
    pub debug: PathBuf,
    /// What is known of it.
    pub summary: Summary,
    /// Whether it was made just now.
    pub fresh: bool,
}

impl Cache {
    /// Opens the cache in `folder`.
    ///
    /// # Errors
    ///
    /// When the folder cannot be made, or the linker script cannot be read.
    pub(crate) fn open(folder: PathBuf, merger: Merger, toolchain: u128) -> Result<Self> {
        files::create_folder(&folder)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(env!("STRAKE_IMAGE_SOURCES").as_bytes());
        hasher.update(&files::read(&merger.script)?);
        Ok(Self {
            folder,
            merger,
            toolchain,
            common: hasher.finalize(),
            used: BTreeSet::new(),
        })
    }

    /// The processed object of `unit`, from the cache or made now.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or written, or the object is not as the compiler writes them.
    pub(crate) fn object(&mut self, unit: &Unit) -> Result<Cached> {
        let library = files::read(&unit.library)?;
        let objects = rlib::objects(&unit.crate_name, &library)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.common.as_bytes());
        hasher.update(&self.toolchain.to_le_bytes());
        hasher.update(&unit.flags.to_le_bytes());
        for text in [&unit.crate_name, &unit.version] {
            hasher.update(text.as_bytes());
            hasher.update(b"\0");
        }
        for object in &objects {
            hasher.update(object.bytes);
        }
        let key = hasher.finalize().to_hex()[..32].to_owned();
        self.used.insert(key.clone());
        let file = |ending: &str| self.folder.join(format!("{key}.{ending}"));
        let (object, debug, known) = (file("o"), file("debug.o"), file("json"));
        if let Some(summary) = read_summary(&known) {
            return Ok(Cached {
                object,
                debug,
                summary,
                fresh: false,
            });
        }
        self.merger
            .merge(&unit.name, &objects, &self.folder.join("merge"), &debug)?;
        let description = Description {
            crate_name: &unit.crate_name,
            version: &unit.version,
            flags: unit.flags,
            toolchain: self.toolchain,
        };
        let compiled = (unit.flags & metadata::PREBUILT == 0)
            .then(|| objects.first())
            .flatten();
        let compiled = compiled.map(|object| object.bytes);
        let processed = process(&files::read(&debug)?, compiled, &description)?;
        files::write_if_changed(&object, &processed.bytes)?;
        // The summary comes last: where it is, the object is whole.
        let text = serde_json::to_vec(&processed.summary)
            .map_err(|error| Error::object(&unit.name, error))?;
        files::write_if_changed(&known, &text)?;
        Ok(Cached {
            object,
            debug,
            summary: processed.summary,
            fresh: true,
        })
    }

    /// Removes what this build did not use.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read or a file not be removed.
    pub(crate) fn prune(&self) -> Result<()> {
        for entry in fs::read_dir(&self.folder).map_err(Error::io("read", &self.folder))? {
            let path = entry.map_err(Error::io("read", &self.folder))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let key = name.split('.').next().unwrap_or_default();
            if path.is_file() && !self.used.contains(key) {
                fs::remove_file(&path).map_err(Error::io("remove", &path))?;
            }
        }
        Ok(())
    }
}

fn read_summary(path: &Path) -> Option<Summary> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}
