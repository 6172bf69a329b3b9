//! Which CPUs take part.

use core::sync::atomic::{AtomicU64, Ordering};

use x86_64::instructions::tlb;

use crate::{CpuId, Local, flush, local, local_of};

/// A bit for each CPU that takes part: it runs tasks, and answers what others ask of it.
#[used]
static ONLINE: AtomicU64 = AtomicU64::new(CpuId(0).bit());

/// Whether the CPU that booted is the only one that takes part. Once it is not, it never is again.
#[inline]
#[must_use]
pub fn alone() -> bool {
    ONLINE.load(Ordering::Relaxed) == CpuId(0).bit()
}

/// Whether `cpu` takes part.
#[must_use]
pub fn is_online(cpu: CpuId) -> bool {
    ONLINE.load(Ordering::Relaxed) & cpu.bit() != 0
}

/// How many CPUs take part.
#[must_use]
pub fn online_count() -> u32 {
    ONLINE.load(Ordering::Relaxed).count_ones()
}

/// The CPUs that take part, as a word with a bit for each.
#[must_use]
pub fn online_cpus() -> u64 {
    ONLINE.load(Ordering::SeqCst)
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

/// The blocks of the CPUs in a word with a bit for each.
pub(crate) fn blocks_of(cpus: u64) -> impl Iterator<Item = &'static Local> {
    (0..u64::BITS)
        .map(CpuId)
        .filter(move |cpu| cpus & cpu.bit() != 0)
        .filter_map(local_of)
}
