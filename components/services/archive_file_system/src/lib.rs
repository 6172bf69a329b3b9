//! The archive as files, which is at `/boot`: each object that the image carries is one.
//!
//! `NAME.o` is the object of the component `NAME`, `NAME=BUILD.o` an alternate of it. A file's bytes
//! are those of the archive, where they lie; nothing is copied before somebody reads.
//!
//! Principles: what is listed comes from the archive's index and costs nothing a file; an object's
//! checksum is looked at when its name is looked up.
//!
//! Neighbours: `loader` has the archive, `vfs` owns the interface. Left out: changing anything.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::{format, string::String, sync::Arc, vec::Vec};
use component::{Handover, StartError};
use linker::format::archive::{Archive, Member};
use vfs::{Directory, Entry, File, FileSystem, Kind, Metadata, Node, Reason, Usage};

component::component! { start: start }

/// Where the archive is mounted.
const PATH: &str = "/boot";

/// What an object's file name ends with.
const EXTENSION: &str = ".o";

/// Mounts the archive.
fn start(_: &'static Handover) -> Result<(), StartError> {
    vfs::create_directories(PATH)?;
    let root = Arc::new(Objects);
    Ok(vfs::mount(PATH, Arc::new(ArchiveFiles { root }))?)
}

struct ArchiveFiles {
    root: Arc<Objects>,
}

impl FileSystem for ArchiveFiles {
    fn name(&self) -> &'static str {
        "archive"
    }

    fn root(&self) -> Arc<dyn Directory> {
        Arc::<Objects>::clone(&self.root)
    }

    fn usage(&self) -> Usage {
        let length = loader::archive().map_or(0, |archive| archive.header.length);
        Usage {
            total: length,
            used: length,
        }
    }

    fn is_read_only(&self) -> bool {
        true
    }
}

/// The only directory.
struct Objects;

/// An object.
struct ObjectFile {
    bytes: &'static [u8],
}

/// The archive, which is there whenever this component is.
fn archive() -> Result<Archive<'static>, Reason> {
    loader::archive().map_err(|_| Reason::NotFound)
}

/// The name of a member's file.
fn file_name(archive: &Archive<'_>, member: &Member) -> String {
    let name = archive.text(member.name);
    match archive.text(member.variant) {
        "" => format!("{name}{EXTENSION}"),
        build => format!("{name}={build}{EXTENSION}"),
    }
}

const fn describe(length: u64) -> Metadata {
    Metadata {
        kind: Kind::File,
        length,
        allocated: length,
        modified_ns: 0,
        read_only: true,
    }
}

impl Directory for Objects {
    fn metadata(&self) -> Metadata {
        let archive = archive();
        Metadata {
            kind: Kind::Directory,
            length: archive.map_or(0, |archive| archive.members.len() as u64),
            allocated: archive.map_or(0, |archive| archive.header.length),
            ..describe(0)
        }
    }

    fn look_up(&self, name: &str) -> Result<Node, Reason> {
        let archive = archive()?;
        let object = name.strip_suffix(EXTENSION).ok_or(Reason::NotFound)?;
        let (component, build) = object.split_once('=').unwrap_or((object, ""));
        let member = archive.find(component, build).ok_or(Reason::NotFound)?;
        let bytes = archive.object(member).map_err(|_| Reason::Corrupt)?;
        Ok(Node::File(Arc::new(ObjectFile { bytes })))
    }

    fn entries(&self) -> Result<Vec<Entry>, Reason> {
        let archive = archive()?;
        let members = archive.members.iter();
        let entries = members.map(|member| Entry {
            name: file_name(&archive, &member).into_boxed_str(),
            metadata: describe(member.length),
        });
        Ok(entries.collect())
    }
}

impl File for ObjectFile {
    fn metadata(&self) -> Metadata {
        describe(self.bytes.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, Reason> {
        Ok(vfs::read_slice(self.bytes, offset, buffer))
    }

    fn bytes(&self) -> Option<&'static [u8]> {
        Some(self.bytes)
    }
}
