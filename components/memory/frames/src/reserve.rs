//! Who may use the last frames.

use core::sync::atomic::{AtomicUsize, Ordering};

use cpu::IrqMutex;

/// Frames that ordinary allocations leave free (1 MiB).
pub const RESERVE: usize = 256;

/// How many tasks can be in [`with_reserve`] at once; a further one runs without the right.
const HOLDERS: usize = 32;

/// Each word is 0 or `Local::current_task` of a task in [`with_reserve`], plus 1.
#[used]
static HOLDING: [AtomicUsize; HOLDERS] = [const { AtomicUsize::new(0) }; HOLDERS];

#[used]
static RIGHT: IrqMutex<Option<fn() -> bool>> = IrqMutex::new(None);

/// Names what tells whether the running task may use the reserve at all times. It must not allocate.
pub fn set_reserve_right(may_use: fn() -> bool) {
    *RIGHT.lock() = Some(may_use);
}

/// Runs `f`, in which the running task may use the reserve: for unwinding and reporting.
pub fn with_reserve<T>(f: impl FnOnce() -> T) -> T {
    let _holding = Holding::new(task_word());
    f()
}

/// Whether the running task may use the reserve now. At boot, before there are tasks, it may.
pub(crate) fn may_use() -> bool {
    let word = task_word();
    let right = *RIGHT.lock();
    word == 1
        || HOLDING
            .iter()
            .any(|slot| slot.load(Ordering::Relaxed) == word)
        || right.is_some_and(|may_use| may_use())
}

fn task_word() -> usize {
    cpu::current_task().wrapping_add(1)
}

struct Holding {
    slot: Option<&'static AtomicUsize>,
}

impl Holding {
    fn new(word: usize) -> Self {
        let slot = HOLDING.iter().find(|slot| {
            slot.compare_exchange(0, word, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        });
        Self { slot }
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            slot.store(0, Ordering::Relaxed);
        }
    }
}
