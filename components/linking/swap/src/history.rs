//! The swaps that were made, newest last: what an undo takes back.

use crate::substitute::Substitution;
use alloc::{string::String, sync::Arc, vec, vec::Vec};
use linker::ComponentId;
use loader::{Loaded, ObjectBytesOf};
use mutex::{Mutex, MutexGuard};
use task::LockRank;

/// Swaps that can be taken back: what is older is only listed as retired.
const UNDO_DEPTH: usize = 32;

/// A version that took the place of another.
#[derive(Clone)]
pub(crate) struct Change {
    /// The component.
    pub(crate) id: ComponentId,
    /// The version before.
    pub(crate) old: Arc<Loaded>,
    /// The version after.
    pub(crate) new: Arc<Loaded>,
}

/// A swap that was made.
pub(crate) struct Transaction {
    pub(crate) number: u64,
    pub(crate) time_ns: u64,
    pub(crate) components: Vec<String>,
    pub(crate) changes: Vec<Change>,
    /// What was loaded next, before the swap.
    pub(crate) overrides: Vec<ObjectBytesOf>,
    /// Who took whose place, if it was no swap of builds.
    pub(crate) substitution: Option<Substitution>,
}

/// Above the locks of `loader`, which are taken under it.
const RANK: LockRank = LockRank::new(40);

/// The history.
pub(crate) struct History {
    pub(crate) transactions: Vec<Transaction>,
    next_number: u64,
}

#[used]
static HISTORY: Mutex<History> = Mutex::ranked(
    RANK,
    History {
        transactions: Vec::new(),
        next_number: 1,
    },
);

pub(crate) fn lock() -> MutexGuard<'static, History> {
    HISTORY.lock()
}

impl History {
    /// Notes a swap.
    pub(crate) fn push(
        &mut self,
        components: Vec<String>,
        changes: Vec<Change>,
        overrides: Vec<ObjectBytesOf>,
    ) {
        self.note(components, changes, overrides, None);
    }

    /// Notes a substitution.
    pub(crate) fn push_substitution(&mut self, substitution: Substitution) {
        let components = vec![substitution.from.clone(), substitution.to.clone()];
        self.note(components, Vec::new(), Vec::new(), Some(substitution));
    }

    fn note(
        &mut self,
        components: Vec<String>,
        changes: Vec<Change>,
        overrides: Vec<ObjectBytesOf>,
        substitution: Option<Substitution>,
    ) {
        if self.transactions.len() >= UNDO_DEPTH {
            drop(self.transactions.remove(0));
        }
        let number = self.next_number;
        self.next_number += 1;
        let time_ns = clock::now_ns();
        self.transactions.push(Transaction {
            number,
            time_ns,
            components,
            changes,
            overrides,
            substitution,
        });
    }
}

/// A swap of the past.
#[derive(Clone, Debug)]
pub struct PastSwap {
    /// Its number, counted from the start of the system.
    pub number: u64,
    /// When it was made, in nanoseconds since the start of the system.
    pub time_ns: u64,
    /// What was swapped; of a substitution, the component that was in charge and the one that took over.
    pub components: Vec<String>,
    /// The interface of which another component took charge, if it was that, in words.
    pub substituted: Option<&'static str>,
    /// For each version that was replaced: component, old and new content id.
    pub versions: Vec<(String, u128, u128)>,
}

/// The swaps that were made and not undone, oldest first.
#[must_use]
pub fn history() -> Vec<PastSwap> {
    let history = lock();
    let look = |transaction: &Transaction| PastSwap {
        number: transaction.number,
        time_ns: transaction.time_ns,
        components: transaction.components.clone(),
        substituted: transaction.substitution.as_ref().map(|it| it.interface),
        versions: transaction
            .changes
            .iter()
            .map(|change| {
                (
                    change.old.name.clone(),
                    change.old.content_id,
                    change.new.content_id,
                )
            })
            .collect(),
    };
    history.transactions.iter().map(look).collect()
}
