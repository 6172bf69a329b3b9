//! The steps of preparing a swap, their cost, and failures that tests ask for.

use crate::{Reason, Refusal};
use alloc::vec::Vec;
use core::{
    fmt,
    sync::atomic::{AtomicU32, Ordering},
};

/// A step of a swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Step {
    /// Finding the objects and what they are to replace.
    Find = 1,
    /// Parsing the objects; policy and toolchain.
    Parse = 2,
    /// Comparing each with the build that it replaces.
    Compare = 3,
    /// Checking every component that stays.
    Survivors = 4,
    /// Memory for text, rodata and new statics.
    Allocate = 5,
    /// The new symbol map and the slot stores, on a copy.
    Enter = 6,
    /// Copying and relocating.
    Link = 7,
    /// Protecting the new text, and everything that the commit needs.
    Seal = 8,
    /// Changing the system.
    Commit = 9,
}

impl Step {
    /// The steps before the commit, in their order.
    pub const PREPARATION: [Self; 8] = [
        Self::Find,
        Self::Parse,
        Self::Compare,
        Self::Survivors,
        Self::Allocate,
        Self::Enter,
        Self::Link,
        Self::Seal,
    ];

    /// The step in one word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Find => "find",
            Self::Parse => "parse",
            Self::Compare => "compare",
            Self::Survivors => "survivors",
            Self::Allocate => "allocate",
            Self::Enter => "enter",
            Self::Link => "link",
            Self::Seal => "seal",
            Self::Commit => "commit",
        }
    }

    /// The step that [`Step::as_str`] calls `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::PREPARATION
            .into_iter()
            .find(|step| step.as_str() == name)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The step after which the next swap fails; 0 for none.
#[used]
static FAIL_AFTER: AtomicU32 = AtomicU32::new(0);

/// Lets the next swap fail after `step`, once; for tests, which show that nothing has changed then.
pub fn fail_after(step: Option<Step>) {
    FAIL_AFTER.store(step.map_or(0, |step| step as u32), Ordering::Relaxed);
}

/// What each step cost, in ticks of the time-stamp counter.
#[derive(Debug)]
pub(crate) struct Meter {
    began: u64,
    last: u64,
    pub(crate) ticks: Vec<(Step, u64)>,
}

impl Meter {
    pub(crate) fn new() -> Self {
        let now = cpu::timestamp();
        // With room for all steps: the commit must not allocate.
        Self {
            began: now,
            last: now,
            ticks: Vec::with_capacity(Step::PREPARATION.len() + 1),
        }
    }

    /// Ends a step of the preparation.
    pub(crate) fn done(&mut self, step: Step) -> Result<(), Refusal> {
        self.note(step);
        let wanted = FAIL_AFTER.load(Ordering::Relaxed);
        if wanted == step as u32 {
            FAIL_AFTER.store(0, Ordering::Relaxed);
            return Err(Refusal::new("swap", Reason::Injected(step)));
        }
        Ok(())
    }

    /// Notes what a step cost.
    pub(crate) fn note(&mut self, step: Step) {
        let now = cpu::timestamp();
        self.ticks.push((step, now.saturating_sub(self.last)));
        self.last = now;
    }

    /// Ticks since the beginning.
    pub(crate) fn total(&self) -> u64 {
        self.last.saturating_sub(self.began)
    }
}
