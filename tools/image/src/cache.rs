//! Objects that need no second processing: files named by the hash of all that they are made of.

use crate::{
    context::Surroundings,
    error::{Error, Result},
    files,
    line_source::Source,
    lines,
    merge::Merger,
    process::{Description, process},
    rlib,
    summary::Summary,
    toolchain::truncate,
    unit::Unit,
};
use linker::format::metadata;
use std::{
    collections::BTreeSet,
    fs,
    num::NonZero,
    panic::resume_unwind,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

/// How long an object stays that the last build did not use: switching between two manifests or
/// undoing an edit should cost nothing.
const KEPT_UNUSED: Duration = Duration::from_secs(24 * 60 * 60);

/// The cache, and what it needs to fill itself.
pub(crate) struct Cache {
    folder: PathBuf,
    merger: Merger,
    toolchain: u128,
    /// Hash of what goes into every object: the builder's own sources and the linker script.
    common: blake3::Hash,
}

/// A processed object in the cache.
pub struct Cached {
    /// Hash of all that it is made of.
    key: String,
    /// The object that is loaded.
    pub object: PathBuf,
    /// Its twin with debug information.
    pub debug: PathBuf,
    /// Its line table, as [`write()`](crate::lines::write()) makes it.
    pub lines: PathBuf,
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
        })
    }

    /// The processed objects of `units`, in their order, from the cache or made now.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or written, or an object is not as the compiler writes them.
    pub(crate) fn objects(&self, units: &[Unit]) -> Result<Vec<Cached>> {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut done = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(unit) = units.get(index) else {
                    return done;
                };
                done.push((index, self.object(unit)));
            }
        };
        let workers = thread::available_parallelism().map_or(1, NonZero::get);
        let mut done = thread::scope(|scope| {
            let helpers: Vec<_> = (1..workers).map(|_| scope.spawn(work)).collect();
            let mut done = work();
            for helper in helpers {
                // A helper's panic becomes this thread's.
                done.extend(helper.join().unwrap_or_else(|panic| resume_unwind(panic)));
            }
            done
        });
        done.sort_by_key(|(index, _)| *index);
        done.into_iter().map(|(_, cached)| cached).collect()
    }

    /// Writes into the metadata of `cached` what it lacks of the build around it: makes it another
    /// object, with ids of its own.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or written.
    pub(crate) fn complete(&self, cached: &mut Cached, build: &Surroundings) -> Result<()> {
        let context = build.around(&cached.summary);
        let ids = context.ids(cached.summary.ids.ids());
        cached.summary.ids = ids.into();
        let name = format!("{}.{:032x}.o", cached.key, context.hash());
        let path = self.folder.join(name);
        if !path.exists() {
            let mut object = files::read(&cached.object)?;
            context.write(&cached.summary.crate_name, &mut object, ids)?;
            files::write_if_changed(&path, &object)?;
            cached.fresh = true;
        }
        cached.object = path;
        Ok(())
    }

    fn object(&self, unit: &Unit) -> Result<Cached> {
        let library = files::read(&unit.library)?;
        let mut objects = rlib::objects(&unit.crate_name, &library)?;
        let own = objects.len();
        let others = unit.linked_in.iter().map(|path| files::read(path));
        let others = others.collect::<Result<Vec<_>>>()?;
        for other in &others {
            objects.extend(rlib::objects(&unit.crate_name, other)?);
        }
        let key = self.key(unit, &objects);
        let file = |ending: &str| self.folder.join(format!("{key}.{ending}"));
        let (object, debug, known) = (file("o"), file("debug.o"), file("json"));
        let lines_path = file("lines");
        if let Some(summary) = read_summary(&known) {
            return Ok(Cached {
                key,
                object,
                debug,
                lines: lines_path,
                summary,
                fresh: false,
            });
        }
        self.merger
            .merge(&unit.name, &objects, &self.folder.join(&key), &debug)?;
        let compiled = match &objects[..own] {
            _ if unit.flags & metadata::PREBUILT != 0 => None,
            [only] => Some(only.bytes),
            several => {
                let message = format!("the compiler wrote {} objects, not one", several.len());
                return Err(Error::object(&unit.crate_name, message));
            }
        };
        let description = Description {
            crate_name: &unit.crate_name,
            version: &unit.version,
            flags: unit.flags,
            toolchain: self.toolchain,
            alone: unit.linked_in.is_empty(),
        };
        let merged = files::read(&debug)?;
        let processed = process(&merged, compiled, &description)?;
        files::write_if_changed(&object, &processed.bytes)?;
        let source = Source::read(&unit.crate_name, &merged)?;
        files::write_if_changed(&lines_path, &lines::write(&source))?;
        // The summary comes last: where it is, the object is whole.
        let text = serde_json::to_vec(&processed.summary)
            .map_err(|error| Error::object(&unit.name, error))?;
        files::write_if_changed(&known, &text)?;
        Ok(Cached {
            key,
            object,
            debug,
            lines: lines_path,
            summary: processed.summary,
            fresh: true,
        })
    }

    fn key(&self, unit: &Unit, objects: &[rlib::Member<'_>]) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.common.as_bytes());
        hasher.update(&self.toolchain.to_le_bytes());
        hasher.update(&unit.flags.to_le_bytes());
        for text in [&unit.crate_name, &unit.version] {
            hasher.update(text.as_bytes());
            hasher.update(b"\0");
        }
        for object in objects {
            hasher.update(object.bytes);
        }
        format!("{:032x}", truncate(&hasher))
    }

    /// Removes old files that this build did not `use`.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read or a file not be removed.
    pub(crate) fn prune<'a>(&self, used: impl Iterator<Item = &'a Cached>) -> Result<()> {
        let mut keys = BTreeSet::new();
        let mut objects = BTreeSet::new();
        for cached in used {
            keys.insert(cached.key.as_str());
            objects.insert(cached.object.as_path());
        }
        for entry in fs::read_dir(&self.folder).map_err(Error::io("read", &self.folder))? {
            let path = entry.map_err(Error::io("read", &self.folder))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let mut parts = name.split('.');
            let key = parts.next().unwrap_or_default();
            // A key, the hash of the context, and the ending.
            let is_complete = parts.count() == 2 && !name.ends_with(".debug.o");
            let is_used = keys.contains(key) && (!is_complete || objects.contains(&*path));
            if path.is_file() && !is_used && age(&path) > KEPT_UNUSED {
                fs::remove_file(&path).map_err(Error::io("remove", &path))?;
            }
        }
        Ok(())
    }
}

/// How long ago a file was written; no time at all when that is unknown.
fn age(path: &Path) -> Duration {
    let written = fs::metadata(path).and_then(|metadata| metadata.modified());
    written
        .ok()
        .and_then(|written| written.elapsed().ok())
        .unwrap_or_default()
}

fn read_summary(path: &Path) -> Option<Summary> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}
