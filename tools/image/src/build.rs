//! The build, step by step.

use crate::{
    archive::{self, Archive},
    cache::Cache,
    compile::{Compilation, Compiled},
    context::Surroundings,
    error::{Error, Result, Violation},
    files,
    iso::Iso,
    manifest::Manifest,
    members::{Candidate, Members},
    merge::Merger,
    nucleus::{Linked, Nucleus},
    toolchain::Toolchain,
    unit::Unit,
    workspace::Workspace,
};
use std::{
    fs::File,
    panic::resume_unwind,
    path::{Path, PathBuf},
    thread,
};

/// Name of the archive's file.
const ARCHIVE: &str = "strake.archive";

/// What to build, and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// Folder of the workspace.
    pub root: PathBuf,
    /// The manifest.
    pub manifest: PathBuf,
    /// Manifests that extend it.
    pub extra_manifests: Vec<PathBuf>,
    /// Folder for everything that is built, but for cargo's own.
    pub out: PathBuf,
    /// This program, which is also the rustc wrapper.
    pub program: PathBuf,
    /// Whether to make the bootable image, too.
    pub iso: bool,
    /// Whether a broken rule is only reported.
    pub keep_going: bool,
    /// Whether only the default objects are wanted, to send them into a running system: no
    /// alternates, no archive, no nucleus.
    pub objects_only: bool,
}

/// What was built.
pub struct Build {
    /// The archive's file.
    pub archive: PathBuf,
    /// Hash of all members' exact ids.
    pub build_id: u128,
    /// The members.
    pub members: Members,
    /// Broken rules, when they were only to be reported.
    pub violations: Vec<Violation>,
}

/// Builds what `options` say; `progress` is called with each step.
///
/// # Errors
///
/// When a step fails or an object breaks a rule.
pub fn build(options: &Options, progress: &mut dyn FnMut(&str)) -> Result<Build> {
    for folder in ["cache/stamps", "objects", "debug/by-id"] {
        files::create_folder(&options.out.join(folder))?;
    }
    let _lock = lock(&options.root.join("target"))?;
    let (toolchain, workspace) = thread::scope(|scope| {
        let toolchain = scope.spawn(|| Toolchain::find(&options.root));
        let workspace = Workspace::read(&options.root);
        (
            toolchain
                .join()
                .unwrap_or_else(|panic| resume_unwind(panic)),
            workspace,
        )
    });
    let (toolchain, workspace) = (toolchain?, workspace?);
    let manifest = Manifest::read(&options.manifest, &options.extra_manifests)?;

    let compilation = Compilation {
        options,
        toolchain: &toolchain,
        workspace: &workspace,
        manifest: &manifest,
    };
    let Compiled { units, libraries } = compilation.run(progress)?;
    let candidates = process(options, &toolchain, units, progress)?;
    let members = Members::choose(candidates);
    let archive = archive::write(&members, &manifest, toolchain.id)?;
    let mut violations = unknown_names(&manifest, &members);
    violations.extend(members.violations.iter().cloned());
    violations.extend(archive.violations.iter().cloned());
    let nucleus = Nucleus {
        workspace: &workspace,
        toolchain: &toolchain,
        libraries: &libraries,
        out: &options.out,
    };
    let nucleus = (!options.objects_only)
        .then(|| nucleus.link())
        .transpose()?;
    violations.extend(
        nucleus
            .iter()
            .flat_map(|nucleus| nucleus.violations.iter().cloned()),
    );
    violations.sort();
    violations.dedup();
    if !violations.is_empty() && !options.keep_going {
        return Err(Error::Checks(violations));
    }
    publish(options, &members)?;
    if let Some(nucleus) = nucleus {
        finish(options, &nucleus, &archive, members.list.len(), progress)?;
    }
    Ok(Build {
        archive: options.out.join(ARCHIVE),
        build_id: archive.build_id,
        members,
        violations,
    })
}

/// Writes what is booted.
fn finish(
    options: &Options,
    nucleus: &Linked,
    archive: &Archive,
    members: usize,
    progress: &mut dyn FnMut(&str),
) -> Result<()> {
    if nucleus.fresh {
        progress("linked the nucleus");
    }
    let path = options.out.join(ARCHIVE);
    files::write_if_changed(&path, &archive.bytes)?;
    let (lines, build) = (archive.lines_length, archive.build_id >> 64);
    let (size, lines) = ((archive.bytes.len() - lines) / 1024, lines / 1024);
    progress(&format!(
        "{members} members, archive {size} KiB, line tables {lines} KiB, build {build:016x}"
    ));
    if options.iso {
        let (root, out) = (&options.root, &options.out);
        let iso = Iso {
            root,
            out,
            nucleus: &nucleus.path,
            archive: &path,
        }
        .write()?;
        if iso.fresh {
            progress(&format!("wrote {}", iso.path.display()));
        }
    }
    Ok(())
}

/// Keeps other builders out of cargo's folder as long as the file is open.
fn lock(target: &Path) -> Result<File> {
    files::create_folder(target)?;
    let path = target.join("image.lock");
    let file = File::create(&path).map_err(Error::io("create", &path))?;
    file.lock().map_err(Error::io("lock", &path))?;
    Ok(file)
}

/// Crates that the manifest names and the image does not have.
fn unknown_names(manifest: &Manifest, members: &Members) -> Vec<Violation> {
    let unknown = manifest
        .names()
        .filter(|(name, _)| members.find(name).is_none());
    unknown
        .map(|(name, wanted_by)| Violation {
            component: name.to_owned(),
            message: format!("{wanted_by} names it, but no crate of the image has this name"),
        })
        .collect()
}

fn process(
    options: &Options,
    toolchain: &Toolchain,
    units: Vec<Unit>,
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<Candidate>> {
    let script = options.root.join("cfg/object.ld");
    let merger = Merger {
        linker: toolchain.linker(),
        script,
    };
    let folder = options.out.join("cache");
    let cache = Cache::open(folder, merger, toolchain.id)?;
    let mut cached = cache.objects(&units)?;
    let default = units.iter().zip(&cached);
    let default = default.filter(|(unit, _)| unit.variant.is_empty());
    let build = Surroundings::of(default.map(|(_, cached)| &cached.summary));
    for cached in &mut cached {
        cache.complete(cached, &build)?;
    }
    cache.prune(cached.iter())?;
    let candidates: Vec<Candidate> = units
        .into_iter()
        .zip(cached)
        .map(|(unit, cached)| Candidate { unit, cached })
        .collect();
    let fresh: Vec<String> = candidates
        .iter()
        .filter(|candidate| candidate.cached.fresh)
        .map(|candidate| candidate.unit.file_name())
        .collect();
    if !fresh.is_empty() {
        progress(&format!(
            "processed {} objects: {}",
            fresh.len(),
            abbreviate(&fresh)
        ));
    }
    Ok(candidates)
}

/// Gives the objects in the cache the names of their members. What a debugger needs is also there by
/// exact id, and stays: a system that has swapped a component runs an object of an older build.
fn publish(options: &Options, members: &Members) -> Result<()> {
    let (objects, debug) = (options.out.join("objects"), options.out.join("debug"));
    for member in &members.list {
        let name = format!("{}.o", member.unit.file_name());
        files::link(&member.cached.object, &objects.join(&name))?;
        files::link(&member.cached.debug, &debug.join(&name))?;
        let by_id = format!("by-id/{}.o", member.cached.summary.ids.exact);
        files::link(&member.cached.debug, &debug.join(by_id))?;
    }
    Ok(())
}

fn abbreviate(names: &[String]) -> String {
    const SHOWN: usize = 6;
    let mut text = names
        .iter()
        .take(SHOWN)
        .cloned()
        .collect::<Vec<_>>()
        .join(" ");
    if names.len() > SHOWN {
        text.push_str(" …");
    }
    text
}
