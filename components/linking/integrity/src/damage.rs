//! The log of what was found damaged.

use alloc::vec::Vec;
use core::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};
use cpu::IrqMutex;

/// How many damages are kept.
const KEPT: usize = 64;

/// Longest name of a component that is kept whole.
const NAME_CAPACITY: usize = 32;

/// What was damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A component's code.
    Text,
    /// A component's constants or unwind tables.
    Rodata,
    /// An entry stub.
    Stub,
    /// The record of what is right.
    Record,
}

impl Part {
    /// The part in one word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Rodata => "rodata",
            Self::Stub => "stub",
            Self::Record => "record",
        }
    }
}

/// A word that was not what it should be.
#[derive(Clone, Copy, Debug)]
pub struct Damage {
    /// When it was found, by the clock.
    pub time_ns: u64,
    name: [u8; NAME_CAPACITY],
    /// What it was part of.
    pub part: Part,
    /// Its address.
    pub address: u64,
    /// Its offset in the image, or in the area of stubs.
    pub offset: u64,
    /// What it held.
    pub found: u64,
    /// What it should hold.
    pub wanted: u64,
    /// Whether it holds that now.
    pub repaired: bool,
}

impl Damage {
    pub(crate) fn new(component: &str, part: Part, address: u64, offset: u64) -> Self {
        let mut name = [0; NAME_CAPACITY];
        for (to, from) in name.iter_mut().zip(component.bytes()) {
            *to = from;
        }
        Self {
            time_ns: task::now_ns(),
            name,
            part,
            address,
            offset,
            found: 0,
            wanted: 0,
            repaired: false,
        }
    }

    /// The component that it belongs to, cut at 32 bytes; empty for a stub.
    #[must_use]
    pub fn component(&self) -> &str {
        let end = self.name.iter().position(|byte| *byte == 0);
        let name = self.name.get(..end.unwrap_or(NAME_CAPACITY));
        core::str::from_utf8(name.unwrap_or_default()).unwrap_or("")
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (part, offset) = (self.part.as_str(), self.offset);
        match self.component() {
            "" => write!(f, "{part} area +{offset:#x}")?,
            component => write!(f, "{part} of {component} +{offset:#x}")?,
        }
        write!(f, ": {:#018x} instead of {:#018x}", self.found, self.wanted)?;
        f.write_str(if self.repaired {
            ", repaired"
        } else {
            ", not repaired"
        })
    }
}

/// What was found since the system's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Walks over everything that have ended.
    pub passes: u64,
    /// Pages that were compared.
    pub pages: u64,
    /// Looks on behalf of a fault.
    pub faults: u64,
    /// Words that were damaged.
    pub damaged: u64,
    /// Words that were put right.
    pub repaired: u64,
    /// Interrupted instructions that were executed again after a repair.
    pub resumed: u64,
}

struct Counters {
    passes: AtomicU64,
    pages: AtomicU64,
    faults: AtomicU64,
    damaged: AtomicU64,
    repaired: AtomicU64,
    resumed: AtomicU64,
}

#[used]
static COUNTERS: Counters = Counters {
    passes: AtomicU64::new(0),
    pages: AtomicU64::new(0),
    faults: AtomicU64::new(0),
    damaged: AtomicU64::new(0),
    repaired: AtomicU64::new(0),
    resumed: AtomicU64::new(0),
};

/// What was found since the system's start.
#[must_use]
pub fn statistics() -> Statistics {
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    Statistics {
        passes: read(&COUNTERS.passes),
        pages: read(&COUNTERS.pages),
        faults: read(&COUNTERS.faults),
        damaged: read(&COUNTERS.damaged),
        repaired: read(&COUNTERS.repaired),
        resumed: read(&COUNTERS.resumed),
    }
}

pub(crate) fn count_pass() {
    COUNTERS.passes.fetch_add(1, Ordering::Relaxed);
}

pub(crate) fn count_pages(pages: u64) {
    COUNTERS.pages.fetch_add(pages, Ordering::Relaxed);
}

pub(crate) fn count_fault() {
    COUNTERS.faults.fetch_add(1, Ordering::Relaxed);
}

pub(crate) fn count_resumed() {
    COUNTERS.resumed.fetch_add(1, Ordering::Relaxed);
}

/// The last damages, and which of them the system's log has.
struct Log {
    kept: [Option<Damage>; KEPT],
    total: usize,
    told: usize,
}

#[used]
static LOG: IrqMutex<Log> = IrqMutex::new(Log {
    kept: [None; KEPT],
    total: 0,
    told: 0,
});

/// Notes a damage. Nothing is written to the system's log yet: this may be an exception.
pub(crate) fn note(damage: Damage) {
    COUNTERS.damaged.fetch_add(1, Ordering::Relaxed);
    if damage.repaired {
        COUNTERS.repaired.fetch_add(1, Ordering::Relaxed);
    }
    let Some(mut log) = LOG.lock_unless_ours() else {
        return;
    };
    let index = log.total % KEPT;
    log.total += 1;
    if let Some(place) = log.kept.get_mut(index) {
        *place = Some(damage);
    }
}

/// The damages that are kept, oldest first.
#[must_use]
pub fn damages() -> Vec<Damage> {
    let mut found = Vec::with_capacity(KEPT);
    let log = LOG.lock();
    let first = log.total.saturating_sub(KEPT);
    found.extend((first..log.total).filter_map(|number| *log.kept.get(number % KEPT)?));
    found
}

/// Writes what is new to the system's log.
pub(crate) fn tell() {
    loop {
        let mut log = LOG.lock();
        if log.told >= log.total {
            return;
        }
        let number = log.told.max(log.total.saturating_sub(KEPT));
        log.told = number + 1;
        let damage = log.kept.get(number % KEPT).copied().flatten();
        drop(log);
        if let Some(damage) = damage {
            log::info!("damaged {damage}");
        }
    }
}
