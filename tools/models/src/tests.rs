//! The models.

use crate::{
    atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
    holder::{self, Holder},
    permits::Permits,
    queue::Queue,
    scheduled::Scheduled,
    words::{NOBODY, OwnerWord, RwWord},
};
use shuttle::thread;
use std::sync::Arc;

/// Interleavings of a model that has too many for all.
const AT_RANDOM: usize = 5_000;
/// Most interleavings that are run one after the other.
const MOST: usize = 30_000;

fn in_every_order(model: impl Fn() + Send + Sync + 'static) {
    shuttle::check_dfs(model, Some(MOST));
}

fn at_random(model: impl Fn() + Send + Sync + 'static) {
    shuttle::check_random(model, AT_RANDOM);
}

/// Runs `body` in so many threads and waits for them.
fn threads(count: usize, body: impl Fn(usize) + Send + Sync + 'static) {
    let body = Arc::new(body);
    let threads: Vec<_> = (0..count)
        .map(|number| {
            let body = Arc::clone(&body);
            thread::spawn(move || body(number))
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn a_wake_up_is_not_lost() {
    in_every_order(|| {
        let shared = Arc::new((Queue::new(), AtomicBool::new(false)));
        let waits = Arc::clone(&shared);
        let waiter = thread::spawn(move || waits.0.wait(|| waits.1.load(Ordering::SeqCst)));
        shared.1.store(true, Ordering::SeqCst);
        shared.0.wake_one();
        waiter.join().unwrap();
    });
}

/// A task that two others wake, each for something of its own, sees both, and is never in two queues.
#[test]
fn a_task_that_blocks_is_queued_once_and_comes_back() {
    let model = |rounds: usize| {
        move || {
            let shared = Arc::new((Scheduled::running(), AtomicUsize::new(0)));
            let seen = Arc::clone(&shared);
            threads(3, move |number| {
                let (task, count) = &*seen;
                if number == 0 {
                    while count.load(Ordering::SeqCst) < 2 * rounds {
                        task.block();
                    }
                } else {
                    for _ in 0..rounds {
                        count.fetch_add(1, Ordering::SeqCst);
                        task.unblock();
                    }
                }
            });
        }
    };
    in_every_order(model(1));
    at_random(model(3));
}

#[test]
fn a_wake_up_of_all_is_not_lost() {
    at_random(|| {
        let shared = Arc::new((Queue::new(), AtomicBool::new(false)));
        let all = Arc::clone(&shared);
        threads(3, move |number| {
            if number == 0 {
                all.1.store(true, Ordering::SeqCst);
                all.0.wake_all();
            } else {
                all.0.wait(|| all.1.load(Ordering::SeqCst));
            }
        });
    });
}

/// A mutex as `mutex` builds it: the word, and a queue that is woken after the release.
#[test]
fn a_mutex_excludes_and_wakes() {
    at_random(|| {
        let shared = Arc::new((OwnerWord::new(), Queue::new(), AtomicUsize::new(0)));
        let seen = Arc::clone(&shared);
        threads(3, move |number| {
            let (word, queue, inside) = &*seen;
            let me = number as u64;
            for _ in 0..2 {
                queue.wait(|| word.take(NOBODY, me));
                assert_eq!(word.get(), Some(me));
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                inside.fetch_sub(1, Ordering::SeqCst);
                word.release();
                queue.wake_one();
            }
        });
        assert_eq!(shared.0.get(), None);
    });
}

/// Of two that want a lock whose owner has ended, one gets it.
#[test]
fn a_lock_is_taken_over_once() {
    in_every_order(|| {
        let shared = Arc::new((OwnerWord::new(), AtomicUsize::new(0)));
        assert!(shared.0.take(NOBODY, 9));
        let seen = Arc::clone(&shared);
        threads(2, move |number| {
            if seen.0.take(9, number as u64) {
                seen.1.fetch_add(1, Ordering::SeqCst);
            }
        });
        assert_eq!(shared.1.load(Ordering::SeqCst), 1);
    });
}

/// The part of a CPU's name that is its number.
const CPU: u32 = 0xFF;

/// A lock as `cpu::IrqMutex` builds it.
struct Named {
    holder: Holder,
    /// The name that the first CPU goes by. That of another one is its number.
    first: AtomicU32,
    inside: AtomicUsize,
    taken_over: AtomicUsize,
}

impl Named {
    fn name(&self, cpu: u32) -> u32 {
        if cpu == 0 {
            self.first.load(Ordering::SeqCst)
        } else {
            cpu
        }
    }

    /// As `IrqMutex::lock`, and out again.
    fn pass(&self, cpu: u32) {
        while !self.holder.take(self.name(cpu)) {
            let found = self.holder.get();
            if found != holder::NOBODY
                && self.name(found & CPU) != found
                && self.holder.release_from(found)
            {
                self.taken_over.fetch_add(1, Ordering::SeqCst);
            }
            thread::yield_now();
        }
        assert_eq!(self.inside.fetch_add(1, Ordering::SeqCst), 0);
        self.inside.fetch_sub(1, Ordering::SeqCst);
        self.holder.release();
    }
}

/// A CPU that faults with a lock goes by another name from then on. Of those who want the lock one takes it
/// from the name that is no more; from a CPU that holds it, nobody does.
#[test]
fn an_abandoned_lock_is_taken_over_once() {
    at_random(|| {
        let lock = Arc::new(Named {
            holder: Holder::nobody(),
            first: AtomicU32::new(0),
            inside: AtomicUsize::new(0),
            taken_over: AtomicUsize::new(0),
        });
        assert!(lock.holder.take(lock.name(0)));
        let seen = Arc::clone(&lock);
        threads(3, move |cpu| {
            if cpu == 0 {
                seen.first.store(CPU + 1, Ordering::SeqCst);
            }
            let cpu = u32::try_from(cpu).unwrap();
            seen.pass(cpu);
            seen.pass(cpu);
        });
        assert_eq!(lock.taken_over.load(Ordering::SeqCst), 1);
        assert_eq!(lock.holder.get(), holder::NOBODY);
    });
}

/// A lock as `mutex::RwLock` builds it.
struct Shared {
    word: RwWord,
    writer: OwnerWord,
    readers_waiting: Queue,
    writers_waiting: Queue,
    readers: AtomicUsize,
    writers: AtomicUsize,
}

impl Shared {
    fn new() -> Self {
        Self {
            word: RwWord::new(),
            writer: OwnerWord::new(),
            readers_waiting: Queue::new(),
            writers_waiting: Queue::new(),
            readers: AtomicUsize::new(0),
            writers: AtomicUsize::new(0),
        }
    }

    /// As `RwLock::wake`.
    fn wake(&self) {
        if self.word.writers_wait() {
            self.writers_waiting.wake_one();
        } else {
            self.readers_waiting.wake_all();
        }
    }

    fn read(&self) {
        self.readers_waiting.wait(|| self.word.try_read(false));
        self.readers.fetch_add(1, Ordering::SeqCst);
        assert_eq!(self.writers.load(Ordering::SeqCst), 0);
        self.readers.fetch_sub(1, Ordering::SeqCst);
        if self.word.end_read() {
            self.wake();
        }
    }

    fn write(&self) {
        self.word.expect_writer();
        self.writers_waiting.wait(|| self.word.try_write());
        if self.word.forget_writer() {
            self.readers_waiting.wake_all();
        }
        assert_eq!(self.writer.get(), None);
        self.writer.set(1);
        assert_eq!(self.writers.fetch_add(1, Ordering::SeqCst), 0);
        assert_eq!(self.readers.load(Ordering::SeqCst), 0);
        self.writers.fetch_sub(1, Ordering::SeqCst);
        self.writer.release();
        self.word.end_write();
        self.wake();
    }
}

#[test]
fn readers_share_and_writers_exclude() {
    at_random(|| {
        let shared = Arc::new(Shared::new());
        threads(4, move |number| {
            for round in 0..2 {
                if (number + round) % 2 == 0 {
                    shared.read();
                } else {
                    shared.write();
                }
            }
        });
    });
}

#[test]
fn a_semaphore_limits_and_wakes() {
    at_random(|| {
        let shared = Arc::new((Permits::new(2), Queue::new(), AtomicUsize::new(0)));
        let seen = Arc::clone(&shared);
        threads(4, move |_| {
            let (permits, queue, inside) = &*seen;
            queue.wait(|| permits.take());
            assert!(inside.fetch_add(1, Ordering::SeqCst) < 2);
            inside.fetch_sub(1, Ordering::SeqCst);
            permits.add();
            queue.wake_one();
        });
        assert_eq!(shared.0.count(), 2);
    });
}
