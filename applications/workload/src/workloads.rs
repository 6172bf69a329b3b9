//! The workloads.

use alloc::{sync::Arc, vec::Vec};
use application::println;
use core::sync::atomic::{AtomicU64, Ordering};
use task::JoinHandle;

/// A way to use the system whose result is known.
pub(crate) struct Workload {
    /// What the user types.
    pub(crate) name: &'static str,
    /// Uses it; `None` when an operation failed.
    pub(crate) run: fn() -> Option<u64>,
    /// What [`Workload::run`] answers when all is well.
    pub(crate) answer: u64,
}

/// All of them.
pub(crate) const WORKLOADS: &[Workload] = &[
    Workload {
        name: "spawn",
        run: spawn,
        answer: folded(SPAWNS),
    },
    Workload {
        name: "message",
        run: message,
        answer: folded(MESSAGES),
    },
    Workload {
        name: "rendezvous",
        run: rendezvous,
        answer: folded(MEETINGS),
    },
    Workload {
        name: "console",
        run: console,
        answer: LINES,
    },
    Workload {
        name: "files",
        run: files,
        answer: folded(FILES * NUMBERS),
    },
];

const SPAWNS: u64 = 4;
const MESSAGES: u64 = 12;
const MEETINGS: u64 = 8;
const LINES: u64 = 6;
const FILES: u64 = 2;
const NUMBERS: u64 = 16;

/// Where files are made.
const FOLDER: &str = "/workload";

/// A number that depends on all before it, so that nothing lost or doubled goes unnoticed.
const fn fold(sum: u64, value: u64) -> u64 {
    (sum.rotate_left(7) ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// The fold of the squares up to `count`.
const fn folded(count: u64) -> u64 {
    let mut sum = 0;
    let mut value = 0;
    while value < count {
        sum = fold(sum, value * value);
        value += 1;
    }
    sum
}

/// A task that helps with a workload, and ends with it: one that hangs would keep the CPU busy for ever.
struct Helper(Option<JoinHandle>);

impl Helper {
    fn spawn(name: &'static str, body: impl FnOnce() + Send + 'static) -> Option<Self> {
        Some(Self(Some(task::spawn(name, body).ok()?)))
    }

    fn join(mut self) -> Option<()> {
        self.0.as_ref()?.wait();
        self.0.take()?.join().ok()
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        if let Some(helper) = &self.0 {
            // Refused only when it has just ended.
            let _ = task::kill(helper.id());
        }
    }
}

/// Spawns tasks one after the other, each of which computes something.
fn spawn() -> Option<u64> {
    let mut sum = 0;
    for value in 0..SPAWNS {
        let cell = Arc::new(AtomicU64::new(0));
        let to = Arc::clone(&cell);
        let child = Helper::spawn("workload child", move || {
            to.store(value * value, Ordering::SeqCst);
        });
        child?.join()?;
        sum = fold(sum, cell.load(Ordering::SeqCst));
    }
    Some(sum)
}

/// Sends numbers through a channel with room for some, and gets them back squared.
fn message() -> Option<u64> {
    exchange(channel::bounded(4), channel::bounded(4), MESSAGES, 3)
}

/// The same, and both sides wait for each other each time.
fn rendezvous() -> Option<u64> {
    exchange(channel::rendezvous(), channel::rendezvous(), MEETINGS, 1)
}

type Channel = (channel::Sender<u64>, channel::Receiver<u64>);

/// Has another task square `count` numbers, of which up to `ahead` are under way at a time.
fn exchange(there: Channel, back: Channel, count: u64, ahead: u64) -> Option<u64> {
    let (question, questions) = there;
    let (answer, answers) = back;
    let other = Helper::spawn("workload peer", move || {
        while let Ok(number) = questions.receive() {
            if answer.send(number * number).is_err() {
                return;
            }
        }
    });
    let other = other?;
    let mut sum = 0;
    let mut asked = 0;
    for taken in 0..count {
        while asked < count && asked < taken + ahead {
            question.send(asked).ok()?;
            asked += 1;
        }
        sum = fold(sum, answers.receive().ok()?);
    }
    drop(question);
    other.join()?;
    Some(sum)
}

/// Prints lines that whoever looks at the console knows.
fn console() -> Option<u64> {
    for line in 0..LINES {
        println!("line {line} of {LINES}: {:#018x}", folded(line + 1));
    }
    Some(LINES)
}

/// Writes numbers to files, reads them back, and removes the files.
fn files() -> Option<u64> {
    // An attempt that failed may have left it.
    if vfs::metadata(FOLDER).is_err() {
        vfs::create_directory(FOLDER).ok()?;
    }
    let mut sum = 0;
    for file in 0..FILES {
        let path = alloc::format!("{FOLDER}/{file}");
        let numbers = file * NUMBERS..(file + 1) * NUMBERS;
        let bytes: Vec<u8> = numbers.flat_map(|it| (it * it).to_le_bytes()).collect();
        let mut open = vfs::OpenOptions::REPLACE.open(&path).ok()?;
        open.write_all(&bytes).ok()?;
        drop(open);
        for word in vfs::read(&path).ok()?.chunks(size_of::<u64>()) {
            let mut number = [0; size_of::<u64>()];
            number.get_mut(..word.len())?.copy_from_slice(word);
            sum = fold(sum, u64::from_le_bytes(number));
        }
        vfs::remove_file(&path).ok()?;
    }
    Some(sum)
}
