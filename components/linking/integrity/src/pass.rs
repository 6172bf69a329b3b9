//! Walks over everything: one in the background, in small bites, and one for whoever asks.

use crate::{
    check::{self, Found},
    damage,
};
use component::StartError;
use core::time::Duration;
use linker::{StubIndex, pristine::Image};
use task::{Builder, Restart};

/// How much the background task looks at before it sleeps: pages, or as many stubs as fill them.
const BITE: u32 = 16;

/// How long it sleeps.
const PAUSE: Duration = Duration::from_millis(50);

/// Stubs that are as much work as a page.
const STUBS_A_PAGE: u32 = 256;

const STACK_BYTES: usize = 32 * 1024;

/// What a walk has found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Pages of text and rodata that were compared.
    pub pages: u32,
    /// Entry stubs that were compared.
    pub stubs: u32,
    /// Words that were damaged.
    pub damaged: u32,
    /// Words that could not be put right.
    pub left: u32,
}

/// Walks over everything now.
#[must_use]
pub fn check_now() -> Outcome {
    let mut walk = Walk::default();
    while walk.step() {}
    damage::tell();
    walk.outcome
}

/// Starts the background task.
pub(crate) fn start() -> Result<(), StartError> {
    Builder::new("integrity")
        .component("integrity")
        .stack_size(STACK_BYTES)
        .essential()
        .supervise(Restart::SYSTEM, run)?;
    Ok(())
}

fn run() {
    let mut walk = Walk::default();
    loop {
        task::sleep(PAUSE);
        for _ in 0..BITE {
            if !walk.step() {
                damage::count_pass();
                walk = Walk::default();
                break;
            }
        }
        damage::tell();
    }
}

/// A walk over all texts, in the order of their addresses, and then all stubs. What is loaded behind
/// its back is left for the next one.
#[derive(Default)]
struct Walk {
    /// The start of the text before the one that is next.
    after: u64,
    /// The next page of that, counted over text and rodata.
    page: usize,
    /// The next stub, when the texts are done.
    stub: Option<u32>,
    outcome: Outcome,
}

impl Walk {
    /// Looks at a page, or as many stubs; false when the walk is over.
    fn step(&mut self) -> bool {
        if let Some(stub) = self.stub {
            return self.step_stubs(stub);
        }
        let Some(loaded) = loader::text_after(self.after) else {
            self.stub = Some(0);
            return true;
        };
        let text = check::pages(&loaded, Image::Text);
        let all = text + check::pages(&loaded, Image::Rodata);
        if self.page >= all {
            self.after = loaded.text().start;
            self.page = 0;
            return true;
        }
        let (which, page) = match self.page.checked_sub(text) {
            Some(page) => (Image::Rodata, page),
            None => (Image::Text, self.page),
        };
        self.page += 1;
        self.outcome.pages += 1;
        damage::count_pages(1);
        self.note(check::check_page(&loaded, which, page));
        true
    }

    fn step_stubs(&mut self, first: u32) -> bool {
        let all = loader::mapped_stubs();
        let end = all.min(first.saturating_add(STUBS_A_PAGE));
        for index in first..end {
            self.note(check::check_stub(StubIndex(index)));
        }
        self.outcome.stubs += end.saturating_sub(first);
        self.stub = Some(end);
        end < all
    }

    fn note(&mut self, found: Found) {
        self.outcome.damaged += found.damaged;
        self.outcome.left += found.left;
    }
}
