//! Which version of which component an address lies in: what unwinding and backtraces ask, also in
//! a task that was unwound while it held the live namespace. So this list has a lock of its own,
//! which nothing blocks under. Other CPUs are waited for; what this CPU holds cannot be, since the
//! asker may have been interrupted under it.

use crate::Loaded;
use alloc::{sync::Arc, vec::Vec};
use cpu::{IrqGuard, IrqMutex};
use unwinder::UnwindTable;

/// All mapped texts, in the order of their addresses.
#[used]
static TEXTS: IrqMutex<Vec<Arc<Loaded>>> = IrqMutex::new(Vec::new());

/// The version whose text has `address`.
#[must_use]
pub fn text_at(address: u64) -> Option<Arc<Loaded>> {
    find(&TEXTS.lock_unless_ours()?, address).cloned()
}

/// The first version whose text begins above `address`.
#[must_use]
pub fn text_after(address: u64) -> Option<Arc<Loaded>> {
    let texts = TEXTS.lock_unless_ours()?;
    let index = texts.partition_point(|loaded| loaded.text().start <= address);
    texts.get(index).cloned()
}

/// A version of this build that brought line tables of its own.
pub(crate) fn with_own_lines(exact_id: u128) -> Option<Arc<Loaded>> {
    let texts = TEXTS.lock_unless_ours()?;
    let brought = |loaded: &&Arc<Loaded>| {
        let received = loaded.bytes.received();
        loaded.exact_id == exact_id && received.is_some_and(|object| !object.lines().is_empty())
    };
    texts.iter().find(brought).cloned()
}

/// Runs `operation` on all mapped texts, in the order of their addresses, with the list's lock held
/// and interrupts off; not at all if this CPU holds the lock already. For code that runs in
/// exceptions: nothing is allocated or freed for it.
pub fn with_texts<R>(operation: impl FnOnce(&[Arc<Loaded>]) -> R) -> Option<R> {
    Some(operation(&TEXTS.lock_unless_ours()?))
}

fn find(texts: &[Arc<Loaded>], address: u64) -> Option<&Arc<Loaded>> {
    let index = texts.partition_point(|loaded| loaded.text().end <= address);
    texts
        .get(index)
        .filter(|loaded| loaded.text().contains(address))
}

/// Where the unwind information of `address` lies. Neither blocks nor allocates: it is called while
/// anything may be going on, so if this CPU is changing the list right now, nothing is found.
pub(crate) fn unwind_table(address: u64) -> Option<UnwindTable> {
    let texts = TEXTS.lock_unless_ours()?;
    let loaded = find(&texts, address)?;
    let text = loaded.text();
    let offset = u32::try_from(address - text.start).ok()?;
    let frame = loaded.frame(offset)?;
    Some(UnwindTable {
        text,
        eh_frame: loaded.in_rodata(loaded.unwind_frames),
        except_table: loaded.in_rodata(loaded.landing_pads),
        entry_offset: frame.entry_offset,
    })
}

/// Whether `address` lies in the text of an application.
pub(crate) fn is_application_text(address: u64) -> bool {
    let Some(texts) = TEXTS.lock_unless_ours() else {
        return false;
    };
    find(&texts, address).is_some_and(|loaded| loaded.is_application())
}

/// Replaces the list. The old one is freed after the lock has been released.
pub(crate) fn replace(texts: Vec<Arc<Loaded>>) {
    let mut texts = sorted(texts);
    core::mem::swap(&mut *TEXTS.lock(), &mut texts);
    drop(texts);
}

/// Adds a text.
pub(crate) fn insert(loaded: &Arc<Loaded>) {
    if loaded.text().is_empty() {
        return;
    }
    loop {
        let mut texts = TEXTS.lock();
        let length = texts.len();
        if length < texts.capacity() {
            let start = loaded.text().start;
            let index = texts.partition_point(|other| other.text().start < start);
            texts.insert(index, Arc::clone(loaded));
            return;
        }
        drop(texts);
        // Not under the lock, which unwinding needs if there is no memory.
        let mut larger = Vec::with_capacity(2 * length + 8);
        let mut texts = TEXTS.lock();
        if texts.len() < larger.capacity() {
            larger.append(&mut texts);
            core::mem::swap(&mut *texts, &mut larger);
        }
        drop(texts);
        drop(larger);
    }
}

/// Takes a text out.
pub(crate) fn remove(loaded: &Loaded) {
    let start = loaded.text().start;
    let mut texts = TEXTS.lock();
    let found = texts.binary_search_by_key(&start, |other| other.text().start);
    let removed = found.ok().map(|index| texts.remove(index));
    drop(texts);
    drop(removed);
}

/// A list of texts that is ready to take the place of the live one.
pub struct PreparedTexts(Vec<Arc<Loaded>>);

impl PreparedTexts {
    /// Prepares the list of `texts`.
    #[must_use]
    pub fn new(texts: Vec<Arc<Loaded>>) -> Self {
        Self(sorted(texts))
    }

    /// Takes the lock under which the list changes; interrupts are off from here on.
    pub fn lock() -> TextsGuard {
        TextsGuard(TEXTS.lock())
    }
}

/// The right to change the list of texts; interrupts are off while it lives.
pub struct TextsGuard(IrqGuard<'static, Vec<Arc<Loaded>>>);

impl TextsGuard {
    /// Exchanges the lists: `prepared` has the old one afterwards. Allocates and frees nothing.
    pub fn exchange(&mut self, prepared: &mut PreparedTexts) {
        core::mem::swap(&mut *self.0, &mut prepared.0);
    }
}

fn sorted(mut texts: Vec<Arc<Loaded>>) -> Vec<Arc<Loaded>> {
    texts.retain(|loaded| !loaded.text().is_empty());
    texts.sort_unstable_by_key(|loaded| loaded.text().start);
    texts
}
