//! The build, step by step.

use crate::{
    archive,
    cache::Cache,
    cargo::{Invocation, Libraries},
    error::{Error, Result, Violation},
    files,
    iso::Iso,
    manifest::Manifest,
    members::{Candidate, Members},
    merge::Merger,
    nucleus::Nucleus,
    rlib,
    toolchain::{Toolchain, allocator_prefix},
    unit::{Unit, default_units, unit},
    workspace::{Folder, Package, Workspace},
};
use std::{
    collections::BTreeSet,
    fs::File,
    panic::resume_unwind,
    path::{Path, PathBuf},
    thread,
};

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

    let (units, libraries) = compile(options, &toolchain, &workspace, &manifest, progress)?;

    let candidates = process(options, &toolchain, units, progress)?;
    let members = Members::choose(candidates);
    let archive = archive::write(&members, &manifest, toolchain.id)?;
    let mut violations = unknown_names(&manifest, &members);
    violations.extend(members.violations.iter().cloned());
    violations.extend(archive.violations);
    let nucleus = Nucleus {
        workspace: &workspace,
        toolchain: &toolchain,
        libraries: &libraries,
        out: &options.out,
    }
    .link()?;
    if nucleus.fresh {
        progress("linked the nucleus");
    }
    violations.extend(nucleus.violations);
    violations.sort();
    violations.dedup();
    if !violations.is_empty() && !options.keep_going {
        return Err(Error::Checks(violations));
    }
    let path = options.out.join("strake.archive");
    files::write_if_changed(&path, &archive.bytes)?;
    publish(options, &members)?;
    progress(&format!(
        "{} members, archive {} KiB, build {:016x}",
        members.list.len(),
        archive.bytes.len() / 1024,
        archive.build_id >> 64
    ));
    if options.iso {
        let iso = Iso {
            root: &options.root,
            out: &options.out,
            nucleus: &nucleus.path,
            archive: &path,
        };
        let iso = iso.write()?;
        if iso.fresh {
            progress(&format!("wrote {}", iso.path.display()));
        }
    }
    Ok(Build {
        archive: path,
        build_id: archive.build_id,
        members,
        violations,
    })
}

/// Keeps other builders out of cargo's folder as long as the file is open.
fn lock(target: &Path) -> Result<File> {
    files::create_folder(target)?;
    let path = target.join("image.lock");
    let file = File::create(&path).map_err(Error::io("create", &path))?;
    file.lock().map_err(Error::io("lock", &path))?;
    Ok(file)
}

/// Runs cargo: once for all crates, once more for each set of alternates.
fn compile(
    options: &Options,
    toolchain: &Toolchain,
    workspace: &Workspace,
    manifest: &Manifest,
    progress: &mut dyn FnMut(&str),
) -> Result<(Vec<Unit>, Libraries)> {
    let alloc = files::read(&toolchain.prebuilt("alloc")?)?;
    let object = rlib::objects("alloc", &alloc)?;
    let object = object.first().map_or(&[][..], |object| object.bytes);
    let allocator_prefix = allocator_prefix(object)?;
    let packages: BTreeSet<String> = workspace
        .packages()
        .filter(|package| {
            let system = [Folder::Kernel, Folder::Components, Folder::Applications];
            system.contains(&package.folder) || manifest.packages.contains(&package.name)
        })
        .map(|package| package.name.clone())
        .collect();
    let invocation = Invocation {
        workspace,
        toolchain,
        program: &options.program,
        allocator_prefix: &allocator_prefix,
        packages: &packages,
        kept: options.out.join("cache/libraries"),
    };
    let libraries = invocation.run(&[], progress)?;
    let mut units = default_units(workspace, manifest, toolchain, &libraries)?;
    for (variant, crates) in &manifest.alternates {
        let packages: Vec<&Package> = crates
            .iter()
            .filter_map(|name| workspace.first_party(name))
            .collect();
        for group in independent_groups(workspace, &packages) {
            let features: Vec<String> = group
                .iter()
                .filter(|package| package.features.contains(variant))
                .map(|package| format!("{}/{variant}", package.name))
                .collect();
            if features.is_empty() {
                continue;
            }
            let alternates = invocation.run(&features, progress)?;
            for package in group {
                if let Some(library) = alternates.get(&package.id) {
                    units.push(unit(package, manifest, library.clone(), variant)?);
                }
            }
        }
    }
    Ok((units, libraries))
}

/// Groups of packages none of which is built from another: an alternate must be compiled against the
/// default build of everything else.
fn independent_groups<'a>(
    workspace: &Workspace,
    packages: &[&'a Package],
) -> Vec<Vec<&'a Package>> {
    let depends = |a: &Package, b: &Package| workspace.closure(&a.id).contains(&b.id);
    let mut groups: Vec<Vec<&Package>> = Vec::new();
    for &package in packages {
        let fits = |group: &&mut Vec<&Package>| {
            !group
                .iter()
                .any(|other| depends(package, other) || depends(other, package))
        };
        match groups.iter_mut().find(fits) {
            Some(group) => group.push(package),
            None => groups.push(vec![package]),
        }
    }
    groups
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
    let cached = cache.objects(&units)?;
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
