//! What the system knows of itself, as files at `/proc`.
//!
//! Each file is a text with one line an item, made when the file is opened: who has it open reads
//! on in the text as it was then.
//!
//! Principles: nothing is kept here; a view asks the component that knows. The commands with `--json`
//! are the interface for programs; these files are for people and pipes.
//!
//! Neighbours: all whose state is shown are called, `vfs` owns the interface. Left out: changing
//! anything by writing.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod views;

use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};
use component::{Handover, StartError};
use vfs::{Directory, Entry, File, FileSystem, Kind, Metadata, Node, Reason, Usage};
use views::VIEWS;

component::component! { start: start }

/// Where the views are mounted.
const PATH: &str = "/proc";

/// Mounts the views.
fn start(_: &'static Handover) -> Result<(), StartError> {
    vfs::create_directories(PATH)?;
    let root = Arc::new(Views);
    Ok(vfs::mount(PATH, Arc::new(ViewFiles { root }))?)
}

struct ViewFiles {
    root: Arc<Views>,
}

impl FileSystem for ViewFiles {
    fn name(&self) -> &'static str {
        "proc"
    }

    fn root(&self) -> Arc<dyn Directory> {
        Arc::<Views>::clone(&self.root)
    }

    fn usage(&self) -> Usage {
        Usage::default()
    }

    fn is_read_only(&self) -> bool {
        true
    }
}

/// The only directory.
struct Views;

/// A view as it was when it was opened.
struct ViewFile {
    text: String,
}

fn describe(length: usize) -> Metadata {
    Metadata {
        kind: Kind::File,
        length: length as u64,
        allocated: 0,
        modified_ns: task::now_ns(),
        read_only: true,
    }
}

impl Directory for Views {
    fn metadata(&self) -> Metadata {
        Metadata {
            kind: Kind::Directory,
            ..describe(VIEWS.len())
        }
    }

    fn look_up(&self, name: &str) -> Result<Node, Reason> {
        let mut views = VIEWS.iter();
        let view = views.find(|view| view.name == name);
        let text = (view.ok_or(Reason::NotFound)?.text)();
        Ok(Node::File(Arc::new(ViewFile { text })))
    }

    fn entries(&self) -> Result<Vec<Entry>, Reason> {
        let entries = VIEWS.iter().map(|view| Entry {
            name: Box::from(view.name),
            metadata: describe(0),
        });
        Ok(entries.collect())
    }
}

impl File for ViewFile {
    fn metadata(&self) -> Metadata {
        describe(self.text.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, Reason> {
        Ok(vfs::read_slice(self.text.as_bytes(), offset, buffer))
    }
}
