//! Tasks: switches, their whole life, messages between two.

use crate::measure::{Cost, Outcome, cost, fallible_cost, per};
use alloc::{format, string::String, sync::Arc};
use channel::{Receiver, Sender};
use core::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

pub(crate) fn yield_now() -> Outcome {
    let stop = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&stop);
    let other = task::spawn("bench yield", move || {
        while !seen.load(Ordering::Relaxed) {
            task::yield_now();
        }
    })
    .map_err(|error| format!("{error}"))?;
    // Each yield comes back when the other task has yielded too.
    let both = cost(500, task::yield_now);
    stop.store(true, Ordering::Relaxed);
    other.join().map_err(|failure| format!("{failure}"))?;
    Ok(per(both, 2))
}

/// Tasks that sleep at once.
const SLEEPERS: u64 = 64;

/// The frames that are gone while many tasks sleep, for one: its stack, and its share of the heap.
pub(crate) fn sleeping_task() -> Outcome {
    let free = || frames::statistics().free as u64;
    let before = free();
    let mut handles = alloc::vec::Vec::new();
    for _ in 0..SLEEPERS {
        let handle = task::spawn("bench sleeper", || task::sleep(Duration::from_secs(3600)));
        handles.push(handle.map_err(|error| format!("{error}"))?);
    }
    // Each has got to where it sleeps.
    task::sleep(Duration::from_millis(20));
    let taken = before.saturating_sub(free()).saturating_mul(FRAME);
    for handle in handles {
        task::kill(handle.id()).map_err(|error| format!("{error}"))?;
        // It ends by being killed.
        drop(handle.join());
    }
    Ok(Cost::bytes(taken, SLEEPERS))
}

/// Bytes of a frame.
const FRAME: u64 = 4096;

/// Timer interrupts that are looked at.
const TICKS: u32 = 8;
/// Looks at the counters without an interrupt between them.
const LOOKS: u32 = 1000;

/// A timer interrupt, by how much longer the look at the counters takes that it falls into.
pub(crate) fn tick() -> Outcome {
    let look = || (cpu::timestamp(), clock::tick_count());
    let mut usual = u64::MAX;
    let mut cheapest = u64::MAX;
    let mut seen = 0;
    let mut looks = 0;
    let (mut time, mut ticks) = look();
    while seen < TICKS || looks < LOOKS {
        let (now, now_ticks) = look();
        let took = now - time;
        // The interrupt comes between this look at the time and the one before, or behind it.
        if now_ticks == ticks {
            usual = usual.min(took);
        } else {
            let (after, _) = look();
            let took = (after - time).saturating_sub(usual.saturating_mul(2));
            cheapest = cheapest.min(took);
            seen += 1;
        }
        looks += 1;
        (time, ticks) = look();
    }
    Ok(Cost::of(cheapest))
}

pub(crate) fn spawn() -> Outcome {
    fallible_cost(100, || -> Result<(), String> {
        let handle = task::spawn("bench", || {}).map_err(|error| format!("{error}"))?;
        handle.join().map_err(|failure| format!("{failure}"))
    })
}

pub(crate) fn round_trip() -> Outcome {
    trip(channel::bounded(1), channel::bounded(1))
}

pub(crate) fn rendezvous_round_trip() -> Outcome {
    trip(channel::rendezvous(), channel::rendezvous())
}

/// A channel's two ends.
type Ends = (Sender<u64>, Receiver<u64>);

/// Sends a number to a task by one channel and gets it back by another.
fn trip((question, questions): Ends, (answer, answers): Ends) -> Outcome {
    let other = task::spawn("bench answer", move || {
        while let Ok(number) = questions.receive() {
            if answer.send(number).is_err() {
                break;
            }
        }
    })
    .map_err(|error| format!("{error}"))?;
    let cost = fallible_cost(200, || -> Result<(), &str> {
        question.send(1).map_err(|_| "nobody listens")?;
        answers.receive().map_err(|_| "nobody answers").map(drop)
    });
    drop(question);
    other.join().map_err(|failure| format!("{failure}"))?;
    cost
}
