//! Tasks: switches, their whole life, messages between two.

use crate::measure::{Outcome, cost, fallible_cost, per};
use alloc::{format, string::String, sync::Arc};
use channel::{Receiver, Sender};
use core::sync::atomic::{AtomicBool, Ordering};

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
