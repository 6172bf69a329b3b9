//! Forgetting translations on all CPUs.
//!
//! Each flush has a number. A CPU that is asked makes all flushes up to the last one at once, so
//! that what several CPUs want at the same time costs it one interruption. The ranges of the last
//! few flushes are kept; a CPU that finds one missing forgets everything.

use core::sync::atomic::{AtomicU64, Ordering};

use handover::{VirtualRange, layout::PAGE_SIZE};
use x86_64::{VirtAddr, instructions::tlb};

use crate::{InterruptsOff, Local, fatal, online, poll_requests, requests, timestamp};

/// More pages than this are forgotten by forgetting everything.
const MOST_PAGES: u64 = 32;

/// How many ranges are kept.
const KEPT: usize = 16;

/// Ticks of the time-stamp counter after which a CPU that does not answer is taken for dead: more than
/// ten seconds at any rate that there is.
const PATIENCE: u64 = 1 << 36;

/// The number of the last flush.
#[used]
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// The last flushes, each in one word so that it is never seen in part.
#[used]
static RANGES: [AtomicU64; KEPT] = [const { AtomicU64::new(0) }; KEPT];

/// The number of the last flush.
pub(crate) fn generation() -> u64 {
    GENERATION.load(Ordering::SeqCst)
}

/// Lets all CPUs, this one included, forget their translations of `range`; they have when this
/// returns. The page tables must have been changed before.
///
/// Waits for the others. So no lock may be held that a CPU could wait for without serving requests;
/// an [`IrqMutex`](crate::IrqMutex) is none of those.
pub fn flush_everywhere(range: VirtualRange) {
    let off = InterruptsOff::new();
    let pages = Pages::of(range);
    pages.flush();
    let others = online::others();
    let generation = GENERATION.fetch_add(1, Ordering::SeqCst) + 1;
    slot(generation).store(pages.encode(generation), Ordering::SeqCst);
    online::blocks_of(others).for_each(|target| requests::ask(target, requests::FLUSH));
    drop(off);
    for target in online::blocks_of(others) {
        wait_for(target, generation);
    }
}

fn wait_for(target: &Local, generation: u64) {
    let begin = timestamp();
    while target.flushed.load(Ordering::Acquire) < generation {
        poll_requests();
        core::hint::spin_loop();
        if timestamp().wrapping_sub(begin) > PATIENCE {
            fatal(format_args!(
                "{} does not forget translations; it is stuck with interrupts off",
                target.id()
            ));
        }
    }
}

/// Makes the flushes that this CPU has not made yet.
pub(crate) fn serve(local: &Local) {
    let done = local.flushed.load(Ordering::Relaxed);
    let last = generation();
    if last - done > KEPT as u64 || !(done + 1..=last).all(flush_kept) {
        tlb::flush_all();
    }
    local.flushed.store(last, Ordering::Release);
}

/// Makes flush `generation`; false if its range is not known.
fn flush_kept(generation: u64) -> bool {
    let pages = Pages::decode(slot(generation).load(Ordering::SeqCst), generation);
    pages.inspect(|pages| pages.flush()).is_some()
}

fn slot(generation: u64) -> &'static AtomicU64 {
    let index = usize::try_from(generation % KEPT as u64).unwrap_or(0);
    // The index is below the length, so the default is never taken.
    RANGES.get(index).unwrap_or(&RANGES[0])
}

/// Pages to forget; none stands for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pages {
    first: u64,
    count: u64,
}

/// Bits of the word: the number of the first page, how many pages, the end of the flush's number.
const COUNT_SHIFT: u32 = 16;
const FIRST_SHIFT: u32 = 28;
const COUNT_MASK: u64 = 0xFFF;
const GENERATION_MASK: u64 = 0xFFFF;

impl Pages {
    const fn of(range: VirtualRange) -> Self {
        let first = range.start / PAGE_SIZE;
        let count = range.end.div_ceil(PAGE_SIZE).saturating_sub(first);
        Self {
            first,
            count: if count > MOST_PAGES { 0 } else { count },
        }
    }

    const fn encode(self, generation: u64) -> u64 {
        self.first << FIRST_SHIFT | self.count << COUNT_SHIFT | generation & GENERATION_MASK
    }

    fn decode(word: u64, generation: u64) -> Option<Self> {
        (word & GENERATION_MASK == generation & GENERATION_MASK).then_some(Self {
            first: word >> FIRST_SHIFT,
            count: word >> COUNT_SHIFT & COUNT_MASK,
        })
    }

    fn flush(self) {
        if self.count == 0 {
            return tlb::flush_all();
        }
        for page in self.first..self.first + self.count {
            tlb::flush(VirtAddr::new_truncate(page.wrapping_mul(PAGE_SIZE)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_survives_its_word() {
        let pages = Pages::of(VirtualRange {
            start: 0xFFFF_8000_1234_5000,
            end: 0xFFFF_8000_1234_7000,
        });
        assert_eq!(pages.count, 2);
        let back = Pages::decode(pages.encode(0x1_2345), 0x1_2345).unwrap();
        // The upper bits follow from bit 47.
        assert_eq!(
            VirtAddr::new_truncate(back.first * PAGE_SIZE).as_u64(),
            0xFFFF_8000_1234_5000
        );
        assert_eq!(back.count, 2);
        assert_eq!(Pages::decode(pages.encode(0x1_2345), 0x1_2346), None);
    }

    #[test]
    fn a_long_range_is_everything() {
        let range = |pages| VirtualRange {
            start: PAGE_SIZE,
            end: PAGE_SIZE * (pages + 1),
        };
        assert_eq!(Pages::of(range(MOST_PAGES)).count, MOST_PAGES);
        assert_eq!(Pages::of(range(MOST_PAGES + 1)).count, 0);
    }
}
