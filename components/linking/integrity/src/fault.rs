//! The look that an exception takes before anything else is believed.

use crate::{
    check::{self, Found},
    damage,
};
use core::sync::atomic::{AtomicU64, Ordering};
use interrupts::TrapFrame;
use linker::{StubIndex, pristine::Image};
use loader::Loaded;

/// The longest instruction in bytes (Intel SDM volume 2, section 2.3.11).
const LONGEST_INSTRUCTION: u64 = 15;

/// The CPUs that are looking, a bit each: an exception in the look itself does not look again.
#[used]
static LOOKING: AtomicU64 = AtomicU64::new(0);

/// Compares all text, constants and stubs with what they must be, and puts right what is damaged;
/// whether the interrupted code may go on as if nothing had happened, because what was damaged was
/// the interrupted instruction, or the stub that led to it, and nothing else.
///
/// Nothing is looked at when this CPU was changing the list of components, or was looking already.
pub(crate) fn filter(frame: &mut TrapFrame) -> bool {
    let Some(looking) = Looking::new() else {
        return false;
    };
    damage::count_fault();
    let mut found = Found::default();
    loader::with_texts(|texts| {
        for loaded in texts {
            found.add(check_images(loaded));
        }
        for index in 0..loader::mapped_stubs() {
            found.add(check::check_stub(StubIndex(index)));
        }
    });
    drop(looking);
    let Some(instruction) = resume_at(&found, frame.rip) else {
        return false;
    };
    frame.rip = instruction;
    damage::count_resumed();
    true
}

fn check_images(loaded: &Loaded) -> Found {
    let mut found = Found::default();
    for which in [Image::Text, Image::Rodata] {
        let pages = check::pages(loaded, which);
        damage::count_pages(pages as u64);
        for page in 0..pages {
            found.add(check::check_page(loaded, which, page));
        }
    }
    found
}

/// Where it is right to go on.
///
/// An exception leaves no trace of the instruction that it hits, so that can be executed again when
/// it is right again. With any other damage nobody knows what has been executed before.
fn resume_at(found: &Found, instruction: u64) -> Option<u64> {
    if found.damaged == 0 || found.left > 0 {
        return None;
    }
    if let (1, Some((stub, led_to))) = (found.damaged, found.stub) {
        return (led_to == instruction).then(|| stub.address());
    }
    let in_text = found.end > found.first && found.damaged <= 2;
    let inside = instruction <= found.first && found.end <= instruction + LONGEST_INSTRUCTION;
    (in_text && inside).then_some(instruction)
}

/// This CPU is looking.
struct Looking(u64);

impl Looking {
    fn new() -> Option<Self> {
        let bit = cpu::current_cpu().bit();
        (LOOKING.fetch_or(bit, Ordering::Relaxed) & bit == 0).then_some(Self(bit))
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        LOOKING.fetch_and(!self.0, Ordering::Relaxed);
    }
}
