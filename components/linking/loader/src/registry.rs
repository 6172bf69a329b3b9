//! What a debugger on the other side of a remote stub needs to follow: a flat table of what is
//! linked where, and a function to break on when it changes.
//!
//! The table has a fixed layout and its static a fixed name, so that a script can read it without
//! debug information. `make debug` sets a breakpoint on [`changed`] and loads the symbols of each
//! entry, whose exact id names the object on the host.

use crate::{Live, Loaded, ranks};
use alloc::{sync::Arc, vec::Vec};
use core::{
    hint::black_box,
    ptr,
    sync::atomic::{AtomicPtr, AtomicU64, Ordering},
};
use mutex::Mutex;

/// First word of a [`Registry`]: `"STRAKEDB"` in ASCII.
pub const MAGIC: u64 = u64::from_le_bytes(*b"STRAKEDB");

/// The table's head.
#[repr(C)]
pub struct Registry {
    /// [`MAGIC`].
    magic: u64,
    /// Counts changes.
    generation: AtomicU64,
    /// Number of entries.
    count: AtomicU64,
    /// The first entry.
    entries: AtomicPtr<Entry>,
}

/// A version of a component that is mapped.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Entry {
    /// Address and length of the name.
    name: [u64; 2],
    /// The exact id, low half first.
    exact_id: [u64; 2],
    /// First address and end of the text.
    text: [u64; 2],
    /// First address and end of the rodata.
    rodata: [u64; 2],
    /// Address of the list of its statics' addresses, in the order of their sections, and its length.
    statics: [u64; 2],
    /// 1 if it has been replaced.
    retired: u64,
}

/// Bytes that a version takes in two tables, the published one and the next.
pub(crate) const ENTRY_COST: usize = 2 * (size_of::<Entry>() + 16);

/// The table that debuggers read.
#[used]
pub static REGISTRY: Registry = Registry {
    magic: MAGIC,
    generation: AtomicU64::new(0),
    count: AtomicU64::new(0),
    entries: AtomicPtr::new(ptr::null_mut()),
};

/// What the table's pointers lead to.
#[used]
static PUBLISHED: Mutex<Published> = Mutex::ranked(
    ranks::REGISTRY,
    Published {
        entries: Vec::new(),
        versions: Vec::new(),
    },
);

struct Published {
    entries: Vec<Entry>,
    /// Names and lists of statics lie in these.
    versions: Vec<Arc<Loaded>>,
}

/// Publishes what is mapped now.
pub fn update(live: &Live) {
    let versions = live.all_texts();
    let entries = versions.iter().map(|loaded| entry(loaded)).collect();
    let next = Published { entries, versions };
    change(|published| core::mem::replace(published, next));
}

/// Adds a version.
pub(crate) fn add(loaded: &Arc<Loaded>) {
    change(|published| {
        published.entries.push(entry(loaded));
        published.versions.push(Arc::clone(loaded));
    });
}

/// Takes a version out.
pub(crate) fn remove(loaded: &Arc<Loaded>) {
    change(|published| {
        let mut versions = published.versions.iter();
        let index = versions.position(|version| Arc::ptr_eq(version, loaded))?;
        published.entries.swap_remove(index);
        Some(published.versions.swap_remove(index))
    });
}

/// Changes the table. A debugger that stops the machine meanwhile sees an empty one. What the change
/// returns is dropped when the new table has been published.
fn change<T>(change: impl FnOnce(&mut Published) -> T) {
    let mut published = PUBLISHED.lock();
    REGISTRY.count.store(0, Ordering::Release);
    let before = change(&mut published);
    let entries = &published.entries;
    REGISTRY.generation.fetch_add(1, Ordering::AcqRel);
    REGISTRY
        .entries
        .store(entries.as_ptr().cast_mut(), Ordering::Release);
    REGISTRY
        .count
        .store(entries.len() as u64, Ordering::Release);
    changed(&REGISTRY);
    drop(published);
    drop(before);
}

/// Called after each change of the table, for a debugger to break on.
#[inline(never)]
pub fn changed(registry: &Registry) {
    black_box(registry);
}

#[expect(clippy::cast_possible_truncation, reason = "the id is cut in halves")]
fn entry(loaded: &Loaded) -> Entry {
    let (text, rodata, statics) = (loaded.text(), loaded.rodata(), loaded.static_addresses());
    Entry {
        name: [loaded.name.as_ptr() as u64, loaded.name.len() as u64],
        exact_id: [loaded.exact_id as u64, (loaded.exact_id >> 64) as u64],
        text: [text.start, text.end],
        rodata: [rodata.start, rodata.end],
        statics: [statics.as_ptr() as u64, statics.len() as u64],
        retired: u64::from(loaded.is_retired()),
    }
}
