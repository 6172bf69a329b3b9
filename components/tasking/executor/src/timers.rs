//! Futures that wait for the clock, and the task that wakes them.

use alloc::collections::BTreeMap;
use component::{Handover, StartError};
use core::{
    fmt,
    future::Future,
    hint::black_box,
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering},
    task::{Context, Poll, Waker},
    time::Duration,
};
use mutex::Mutex;
use wait_queue::WaitQueue;

/// Which timer, and when it is due: in the order in which they are.
type Key = (u64, u64);

#[used]
static TIMERS: Mutex<BTreeMap<Key, Waker>> = Mutex::new(BTreeMap::new());

/// Where the task waits for an earlier timer.
#[used]
static EARLIER: WaitQueue = WaitQueue::new();

#[used]
static NEXT: AtomicU64 = AtomicU64::new(0);

pub(crate) fn start(_: &'static Handover) -> Result<(), StartError> {
    task::Builder::new("timers")
        .component("executor")
        .essential() // Who kills it leaves all sleeping futures asleep.
        .spawn(serve)?;
    Ok(())
}

/// The task's body.
fn serve() {
    loop {
        // By value: the next round runs the code of the build that is there by then.
        let round: fn() = black_box(round);
        if let Err(failure) = task::catch(&mut || round()) {
            log::error!("waking futures by the clock: {failure}");
        }
    }
}

/// Wakes what is due, and sleeps until something is.
fn round() {
    let seen = EARLIER.now();
    let now_ns = task::now_ns();
    loop {
        let due = {
            let mut timers = TIMERS.lock();
            match timers.first_entry() {
                Some(first) if first.key().0 <= now_ns => first.remove(),
                Some(first) => {
                    let deadline_ns = first.key().0;
                    drop(timers);
                    return wait(seen, Some(deadline_ns));
                }
                None => {
                    drop(timers);
                    return wait(seen, None);
                }
            }
        };
        due.wake();
    }
}

fn wait(seen: wait_queue::Moment, deadline_ns: Option<u64>) {
    if EARLIER.sleep(seen, deadline_ns).is_err() {
        task::stand_still();
    }
}

/// Waits for at least `duration`, from now on.
pub fn sleep(duration: Duration) -> Sleep {
    sleep_until(wait_queue::deadline_ns(duration))
}

/// Waits until the clock ([`task::now_ns`]) shows `deadline_ns`.
pub const fn sleep_until(deadline_ns: u64) -> Sleep {
    Sleep {
        deadline_ns,
        key: None,
    }
}

/// A future that waits for the clock.
#[must_use = "a future does nothing unless it is awaited"]
pub struct Sleep {
    deadline_ns: u64,
    /// Its timer, while it waits.
    key: Option<Key>,
}

impl Sleep {
    fn forget_timer(&mut self) {
        if let Some(key) = self.key.take() {
            let waker = TIMERS.lock().remove(&key);
            drop(waker); // Not under the lock: that may run anybody's code.
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if task::now_ns() >= self.deadline_ns {
            self.forget_timer();
            return Poll::Ready(());
        }
        let deadline_ns = self.deadline_ns;
        let number = || (deadline_ns, NEXT.fetch_add(1, Ordering::Relaxed));
        let key = *self.key.get_or_insert_with(number);
        let waker = context.waker().clone();
        let mut timers = TIMERS.lock();
        let before = timers.insert(key, waker);
        let is_first = timers
            .first_key_value()
            .is_some_and(|(first, _)| *first == key);
        drop(timers);
        drop(before);
        if is_first {
            EARLIER.wake_one();
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.forget_timer();
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep")
            .field("deadline_ns", &self.deadline_ns)
            .finish_non_exhaustive()
    }
}
