//! Which CPUs take part.

use core::sync::atomic::{AtomicU64, Ordering};

use x86_64::instructions::tlb;

use crate::{CpuId, CpuSet, Local, flush, local, local_of};

/// A bit for each CPU that takes part: it runs tasks, and answers what others ask of it.
#[used]
static ONLINE: AtomicU64 = AtomicU64::new(CpuId(0).bit());

/// Whether the CPU that booted is the only one that takes part. Once it is not, it never is again.
#[inline]
#[must_use]
pub fn alone() -> bool {
    ONLINE.load(Ordering::Relaxed) == CpuId(0).bit()
}

/// The CPUs that take part.
#[must_use]
pub fn online_cpus() -> CpuSet {
    CpuSet::of_word(ONLINE.load(Ordering::SeqCst))
}

/// The CPUs that take part, less the one that runs this; interrupts must be off.
pub(crate) fn others() -> CpuSet {
    online_cpus().without(local().id())
}

/// Lets the CPU that runs this take part. Its interrupt controller must work, and interrupts be off.
///
/// The first other CPU must come while the one that booted does nothing but wait for it: code that
/// has found itself [`alone`] relies on that until it is done.
pub fn go_online() {
    let local = local();
    ONLINE.fetch_or(local.id().bit(), Ordering::SeqCst);
    // What others have unmapped before they saw the bit is forgotten here, all else they will ask for.
    let generation = flush::generation();
    tlb::flush_all();
    local.flushed.store(generation, Ordering::Release);
}

/// The blocks of `cpus`.
pub(crate) fn blocks_of(cpus: CpuSet) -> impl Iterator<Item = &'static Local> {
    cpus.iter().filter_map(local_of)
}
