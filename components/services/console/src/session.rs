//! Whose console it is.

use core::sync::atomic::{AtomicBool, Ordering};

#[used]
static CLAIMED: AtomicBool = AtomicBool::new(false);

#[used]
static BEGUN: AtomicBool = AtomicBool::new(false);

/// The session on the console. There is one at a time; dropping it lets the next one begin.
#[must_use]
#[derive(Debug)]
pub struct Session {
    first: bool,
}

/// Begins the session, unless somebody has one already.
pub fn claim_session() -> Option<Session> {
    if CLAIMED.swap(true, Ordering::Relaxed) {
        return None;
    }
    Some(Session {
        first: !BEGUN.swap(true, Ordering::Relaxed),
    })
}

impl Session {
    /// Whether it is the first since the system's start, which runs what the machine was started
    /// for.
    #[must_use]
    pub const fn is_first(&self) -> bool {
        self.first
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        CLAIMED.store(false, Ordering::Relaxed);
    }
}
